import { existsSync, readdirSync, readFileSync } from "node:fs";
import { macBytes, macFor } from "./mac.ts";
import { addAddress, addBridge } from "./netlink/route.ts";
import { networkOptions } from "./options.ts";
import { addressBytes, parseAddress, parseCidr } from "./subnet.ts";
import { setSwitch } from "./switches.ts";
import type { NetworkRecord } from "./types.ts";

/** The number of a link of the host; undefined when there is none of the name. */
export function linkIndex(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/ifindex`, "latin1"));
  } catch (error) {
    // A link that goes just now answers EINVAL.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EINVAL"))
      return undefined;
    throw error;
  }
}

export const isBridge = (name: string): boolean => existsSync(`/sys/class/net/${name}/bridge`);

/** The message that makes a network's bridge. */
export function newBridge(network: NetworkRecord): Buffer {
  const { mtu } = networkOptions(network);
  const [first] = network.subnets;
  return addBridge(network.bridge, {
    ...(mtu ? { mtu } : {}),
    // Its own, or it would change with the lowest of its ports'.
    ...(first ? { mac: macBytes(macFor(first.gateway)) } : {}),
  });
}

/** The messages that give a bridge its gateway addresses. */
export function bridgeAddresses({ subnets }: NetworkRecord, index: number): Buffer[] {
  return subnets.map(({ subnet, gateway }) => {
    const address = parseAddress(gateway);
    return addAddress(
      index,
      { version: address.version, bytes: addressBytes(address) },
      parseCidr(subnet).prefix,
    );
  });
}

/** Has the kernel forward packets for a bridge, where that is wanted, and lead those of the host's loopback to it. */
export function allowForwarding({ bridge, ipv6, foreignBridge }: NetworkRecord, forwarding: boolean): void {
  if (forwarding) setSwitch("net/ipv4/ip_forward", "1");
  setSwitch(`net/ipv4/conf/${bridge}/route_localnet`, "1");
  if (!existsSync("/proc/sys/net/ipv6")) return;
  // The host may have IPv6 of its own on a bridge that was there before.
  if (ipv6 || !foreignBridge) setSwitch(`net/ipv6/conf/${bridge}/disable_ipv6`, ipv6 ? "0" : "1");
  if (!foreignBridge) setSwitch(`net/ipv6/conf/${bridge}/accept_ra`, "0");
  if (ipv6 && forwarding) forwardIpv6();
}

/** A host that forwards stops to take its own routes from router advertisements unless it is told to go on. */
function forwardIpv6(): void {
  const links = "/proc/sys/net/ipv6/conf";
  if (readFileSync(`${links}/all/forwarding`, "latin1").trim() !== "0") return;
  for (const link of readdirSync(links)) {
    const advertised = `net/ipv6/conf/${link}/accept_ra`;
    if (readFileSync(`/proc/sys/${advertised}`, "latin1").trim() === "1") setSwitch(advertised, "2");
  }
  setSwitch("net/ipv6/conf/all/forwarding", "1");
}
