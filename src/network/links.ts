import { readFileSync } from "node:fs";
import { macBytes } from "./mac.ts";
import {
  addAddress,
  addRoute,
  addVeth,
  addVirtualLan,
  deleteRoute,
  type Ip,
  LOOPBACK,
  plugLink,
  type Route,
  setLinkUp,
  setPort,
} from "./netlink/route.ts";
import { networkOptions } from "./options.ts";
import { addressBytes, linkLocalPrefix, parseAddress, parseCidr } from "./subnet.ts";
import type { Endpoint, NetworkRecord } from "./types.ts";

/** rtnetlink messages: sent on the host, with a descriptor of the container's namespace written in; and inside. */
export interface LinkMessages {
  host: { message: Buffer; descriptorAt: number; why: string }[];
  inside: { message: Buffer; why: string }[];
  /** Links of the host's that only carry what the container and others send. */
  carriers: string[];
}

/** The kernel gives low numbers to links of its own, such as tunnels, where it is so configured. */
const FIRST_INDEX = 20;

/** What the links inside are numbered: eth0 is 20. Messages then need no look-up. */
export const linkIndexInside = ({ position }: Endpoint): number => FIRST_INDEX + position;
export const linkNameInside = ({ name, position }: Endpoint): string => name ?? `eth${position}`;

export const loopback = { message: setLinkUp(LOOPBACK), why: "the loopback link" };

/** How long an address's network part is in a network. */
export function prefixOf(network: NetworkRecord, address: string): number {
  const six = address.includes(":");
  const subnet = network.subnets.find((candidate) => candidate.subnet.includes(":") === six);
  return subnet ? parseCidr(subnet.subnet).prefix : 0;
}

/** By the name of an auxiliary address a network says that another than its bridge leads out. */
export const DEFAULT_GATEWAY = { 4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6" } as const;

/** The way out of a network; empty where there is none. */
export function gatewayOf(network: NetworkRecord, version: 4 | 6): string {
  if (network.internal) return "";
  const own = network.subnets.find(({ subnet }) => subnet.includes(":") === (version === 6));
  const other = network.driver === "bridge" ? own?.auxAddresses?.[DEFAULT_GATEWAY[version]] : undefined;
  return other ?? own?.gateway ?? "";
}

const toIp = (text: string): Ip => {
  const address = parseAddress(text);
  return { version: address.version, bytes: addressBytes(address) };
};

/**
 * Makes an endpoint's link with its addresses, and default routes through it when it `isGateway`.
 * `onto` is the index of the bridge, or of the host's link that a macvlan or ipvlan is on.
 */
export function endpointLinks(
  network: NetworkRecord,
  endpoint: Endpoint,
  onto: number,
  isGateway: boolean,
): LinkMessages {
  const inside = insideMessages(network, endpoint, linkIndexInside(endpoint), isGateway);
  const carriers = network.driver === "bridge" ? [endpoint.link] : [];
  return { host: hostMessages(network, endpoint, onto), inside, carriers };
}

/** What furnishes a link that is there: addresses, and default routes when it `isGateway`. */
export function insideMessages(
  network: NetworkRecord,
  endpoint: Endpoint,
  index: number,
  isGateway: boolean,
): LinkMessages["inside"] {
  const name = linkNameInside(endpoint);
  const inside: LinkMessages["inside"] = [{ message: setLinkUp(index), why: name }];
  const addresses = [
    ...[endpoint.ipv4, endpoint.ipv6]
      .filter(Boolean)
      .map((address) => [address, prefixOf(network, address)] as const),
    ...(endpoint.linkLocal ?? []).map(
      (address) => [address, linkLocalPrefix(parseAddress(address)) ?? 0] as const,
    ),
  ];
  for (const [address, prefix] of addresses) {
    const message = addAddress(index, toIp(address), prefix);
    inside.push({ message, why: `${name} has ${address}` });
  }
  if (isGateway) inside.push(...defaultRoutes(network, endpoint, index));
  return inside;
}

/** Puts a link that is there already on a bridge: the tap of a virtual machine, a container's that lost its bridge. */
export function tapMessages(network: NetworkRecord, endpoint: Endpoint, onto: number): LinkMessages["host"] {
  const { mtu } = networkOptions(network);
  const message = plugLink(endpoint.link, { master: onto, ...(mtu ? { mtu } : {}) });
  return [
    { message, descriptorAt: -1, why: `${endpoint.link} on bridge ${network.bridge}` },
    ...portMessages(network, endpoint),
  ];
}

/** The messages, sent inside, that lead out through an endpoint. */
export const defaultRoutes = (
  network: NetworkRecord,
  endpoint: Endpoint,
  index = linkIndexInside(endpoint),
): LinkMessages["inside"] =>
  waysOut(network, endpoint, index).map(({ version, way, by }) => ({
    message: addRoute(version, way),
    why: `out of ${network.name} by ${by}`,
  }));

/** The messages, sent inside, after which none leads out through an endpoint. */
export const noDefaultRoutes = (network: NetworkRecord, endpoint: Endpoint): Buffer[] =>
  waysOut(network, endpoint, linkIndexInside(endpoint)).map(({ version, way }) => deleteRoute(version, way));

function waysOut(
  network: NetworkRecord,
  endpoint: Endpoint,
  index: number,
): { version: 4 | 6; way: Route; by: string }[] {
  return ([4, 6] as const).flatMap((version) => {
    const gateway = gatewayOf(network, version);
    if (gateway === "" || !(version === 4 ? endpoint.ipv4 : endpoint.ipv6)) return [];
    const layer3 = network.driver === "ipvlan" && ipvlanMode(network) !== 0;
    const way = layer3 ? { index } : { gateway: toIp(gateway).bytes, index };
    return [{ version, way, by: layer3 ? linkNameInside(endpoint) : gateway }];
  });
}

/** Where programs expect the name server of a network that a user made, whatever else is its address. */
export const RESOLVER = "127.0.0.11";

/** Whether a network's bridge answers for that address to an endpoint. */
export const hasResolver = (network: NetworkRecord, endpoint: Endpoint): boolean =>
  network.driver === "bridge" && network.name !== "bridge" && endpoint.ipv4 !== "";

/** The message, sent inside, that leads questions for names to a network's bridge. */
export function resolverRoute(
  network: NetworkRecord,
  endpoint: Endpoint,
  index = linkIndexInside(endpoint),
): LinkMessages["inside"] {
  const gateway = network.subnets.find(({ subnet }) => !subnet.includes(":"))?.gateway ?? "";
  if (gateway === "") return [];
  const message = addRoute(4, {
    destination: { bytes: toIp(RESOLVER).bytes, prefix: 32 },
    gateway: toIp(gateway).bytes,
    index,
    source: toIp(endpoint.ipv4).bytes,
    first: true,
  });
  return [{ message, why: `${RESOLVER} is the name server on ${network.bridge}` }];
}

function hostMessages(network: NetworkRecord, endpoint: Endpoint, onto: number): LinkMessages["host"] {
  const { mtu } = networkOptions(network);
  const [name, index] = [linkNameInside(endpoint), linkIndexInside(endpoint)];
  const mac = endpoint.mac ? macBytes(endpoint.mac) : undefined;
  if (network.driver === "macvlan" || network.driver === "ipvlan") {
    const mode = network.driver === "macvlan" ? macvlanMode(network) : ipvlanMode(network);
    const made = addVirtualLan({
      kind: network.driver,
      mode,
      flags: network.driver === "ipvlan" ? IPVLAN_FLAGS[network.options.ipvlan_flag ?? "bridge"] : 0,
      parent: onto,
      name,
      index,
      mac,
      mtu,
    });
    return [
      { ...made, why: `${name}, a ${network.driver} of ${network.options.parent ?? "a link of its own"}` },
    ];
  }
  const pair = addVeth({
    name: endpoint.link,
    index: hostIndex(endpoint),
    master: onto,
    ...(mtu ? { mtu } : {}),
    peer: { name, index, mac: mac ?? Buffer.alloc(6) },
  });
  return [
    { ...pair, why: `${name} inside, ${endpoint.link} on bridge ${network.bridge}` },
    ...portMessages(network, endpoint),
  ];
}

function portMessages(network: NetworkRecord, endpoint: Endpoint): LinkMessages["host"] {
  const { icc } = networkOptions(network);
  const port = { isolated: !icc, hairpin: filtersBridges() };
  if (!port.isolated && !port.hairpin) return [];
  const why = icc ? "a container reaches its own published ports" : "containers do not reach each other";
  return [{ message: setPort(endpoint.link, port), descriptorAt: -1, why }];
}

/**
 * Whether the host filters bridged packets as it does routed ones: published ports are then led on by the
 * bridge itself, and back to where they came from only with a port's leave.
 */
function filtersBridges(): boolean {
  try {
    return readFileSync("/proc/sys/net/bridge/bridge-nf-call-iptables", "latin1").startsWith("1");
  } catch {
    // There is no such switch where the kernel cannot do it.
    return false;
  }
}

/** A number for the link on the host that is hardly taken: the kernel's own are small. */
export const hostIndex = ({ id }: Endpoint): number => 0x10_0000 + Number.parseInt(id.slice(0, 7), 16);

const MACVLAN_MODES: Record<string, number> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const IPVLAN_MODES: Record<string, number> = { l2: 0, l3: 1, l3s: 2 };

const IPVLAN_FLAGS: Record<string, number> = { bridge: 0, private: 1, vepa: 2 };

const macvlanMode = ({ options }: NetworkRecord): number =>
  MACVLAN_MODES[options.macvlan_mode ?? "bridge"] ?? 4;
const ipvlanMode = ({ options }: NetworkRecord): number => IPVLAN_MODES[options.ipvlan_mode ?? "l2"] ?? 0;
