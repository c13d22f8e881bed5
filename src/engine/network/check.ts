import type { EndpointSettings } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { interfaceFaults } from "../../network/interface.ts";
import { normalizeMac } from "../../network/mac.ts";
import { contains, linkLocalPrefix, parseAddress, parseCidr } from "../../network/subnet.ts";
import type { NetworkRecord } from "../../network/types.ts";

const predefined = new Set(["bridge", "host", "none"]);

/** Checks what a container wants of a place in a network. Throws INVALID_PARAMETER with dockerd's words. */
export function checkWish(network: NetworkRecord, wish: EndpointSettings): void {
  const { IPv4Address: ipv4, IPv6Address: ipv6 } = wish.IPAMConfig ?? {};
  const own = !predefined.has(network.name);
  const refuse = (why: string): never => {
    throw invalid(`invalid config for network ${network.name}: invalid endpoint settings:\n${why}`);
  };
  if (!own && (ipv4 || ipv6)) refuse("user specified IP address is supported on user defined networks only");
  if (!own && (wish.Aliases?.length ?? 0) > 0)
    refuse("network-scoped alias is supported only for containers in user defined networks");
  const faults = [
    ...addressFaults(network, 4, ipv4),
    ...addressFaults(network, 6, ipv6),
    ...(wish.IPAMConfig?.LinkLocalIPs ?? []).flatMap(linkLocalFaults),
    ...interfaceFaults(wish.DriverOpts),
  ];
  if (faults.length > 0) refuse(faults.join("\n"));
  if (wish.MacAddress) normalizeMac(wish.MacAddress);
}

function addressFaults(network: NetworkRecord, version: 4 | 6, text: string | undefined): string[] {
  if (!text) return [];
  const bad = [`invalid IPv${version} address: ${text}`];
  let address: ReturnType<typeof parseAddress>;
  try {
    address = parseAddress(text);
  } catch {
    return bad;
  }
  if (address.version !== version) return bad;
  const inside = network.subnets.some(({ subnet }) => contains(parseCidr(subnet), address));
  return inside ? [] : [`no configured subnet contains IP address ${text}`];
}

function linkLocalFaults(text: string): string[] {
  try {
    if (linkLocalPrefix(parseAddress(text)) !== undefined) return [];
  } catch {
    // Neither is one that is no address at all.
  }
  return [`invalid link-local IP address: ${text}`];
}
