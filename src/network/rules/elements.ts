import { type DirectEntry, directEntry } from "../direct/entries.ts";
import type { Loopback6 } from "../loopback6.ts";
import { macBytes } from "../mac.ts";
import type { SetElement } from "../netlink/nftables.ts";
import type { GatewayMode } from "../options.ts";
import { addressBytes, parseAddress } from "../subnet.ts";
import { type Endpoint, type Protocol, type PublishedPorts, usesIpv6 } from "../types.ts";

const PROTOCOLS: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };

/** A field of an element: as the kernel has it, and as nft writes it. */
interface Field {
  bytes: Buffer;
  text: string;
}

/** An element of the rules' sets and maps. */
export interface RuleElement extends SetElement {
  /** As nft(8) has it: "key : data". */
  text: string;
  /** What spares connections of the host's own the rule. */
  direct?: DirectEntry[];
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

function linkField(name: string): Field {
  const bytes = Buffer.alloc(16);
  bytes.write(name);
  return { bytes, text: `"${name}"` };
}

function portField(port: number): Field {
  return { bytes: Buffer.from([port >> 8, port & 0xff, 0, 0]), text: String(port) };
}

const macField = (mac: string): Field => ({ bytes: padded(macBytes(mac)), text: mac });
const addressField = (text: string): Field => ({ bytes: padded(addressBytes(parseAddress(text))), text });
const protocolField = (protocol: Protocol): Field => ({
  bytes: Buffer.from([PROTOCOLS[protocol], 0, 0, 0]),
  text: protocol,
});

const bytesOf = (fields: Field[]): Buffer => Buffer.concat(fields.map(({ bytes }) => bytes));
const textOf = (fields: Field[]): string => fields.map(({ text }) => text).join(" . ");

function element(
  place: { family: SetElement["family"]; set: string },
  key: Field[],
  data?: Field[],
): RuleElement {
  return {
    ...place,
    key: bytesOf(key),
    ...(data ? { data: bytesOf(data) } : {}),
    text: data ? `${textOf(key)} : ${textOf(data)}` : textOf(key),
  };
}

/** What a bridge is to the rules. */
export interface BridgeRules {
  link: string;
  internal: boolean;
  /** How its containers are reached from outside. */
  modes: Record<4 | 6, GatewayMode>;
  /** Whether packets that leave get the host's address. */
  masquerade: Record<4 | 6, boolean>;
  /** Which that is; empty for that of the link they leave by. */
  source: Record<4 | 6, string>;
  /** The address of its name server; empty without one. */
  resolver: string;
}

/** The elements that make a bridge known. */
export function bridgeElements({
  link,
  internal,
  masquerade,
  source,
  modes,
  resolver,
}: BridgeRules): RuleElement[] {
  const one = (set: string) => element({ family: "inet", set }, [linkField(link)]);
  const leaves = (version: 4 | 6) =>
    source[version]
      ? element(
          { family: "inet", set: `source${version}` },
          [linkField(link)],
          [addressField(source[version])],
        )
      : one(`outward${version}`);
  return [
    one("bridges"),
    element({ family: "inet", set: "hairpin" }, [linkField(link), linkField(link)]),
    ...(resolver
      ? [element({ family: "inet", set: "resolver" }, [linkField(link)], [addressField(resolver)])]
      : []),
    ...(internal ? [one("internal")] : []),
    ...(internal ? [] : ([4, 6] as const)).flatMap((version) => [
      ...(masquerade[version] ? [leaves(version)] : []),
      ...(modes[version] === "nat"
        ? []
        : [one(`${modes[version] === "routed" ? "routed" : "open"}${version}`)]),
    ]),
  ];
}

/** Which addresses may come from an endpoint's link. */
export function endpointElements(endpoint: Endpoint): RuleElement[] {
  const { link, mac, ipv4, ipv6, linkLocal: further = [] } = endpoint;
  if (link === "") return [];
  const bound = (set: string, address: string) =>
    element({ family: "bridge", set }, [linkField(link), macField(mac), addressField(address)]);
  return [
    ...(ipv4 ? [bound("bound4", ipv4)] : []),
    ...(ipv6 ? [bound("bound6", ipv6)] : []),
    ...(usesIpv6(endpoint) ? [bound("bound6", linkLocal(mac))] : []),
    ...further.map((address) => bound(address.includes(":") ? "bound6" : "bound4", address)),
  ];
}

/** The address that the kernel makes of a hardware address (RFC 4291, appendix A). */
function linkLocal(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macBytes(mac);
  const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`;
}

/** What tells packets of an address to itself, which come about by its own published ports. */
export function selfElements({ ipv4, ipv6 }: Endpoint): RuleElement[] {
  const own = (set: string, address: string) =>
    element({ family: "inet", set }, [addressField(address), addressField(address)]);
  return [...(ipv4 ? [own("self4", ipv4)] : []), ...(ipv6 ? [own("self6", ipv6)] : [])];
}

/** The map elements that lead published ports to the container's address of the same family. */
export function portElements(
  given: PublishedPorts,
  address: string,
  { loopback, direct }: { loopback: Loopback6; direct: boolean },
): RuleElement[] {
  const version = address.includes(":") ? 6 : 4;
  const own = given.hostIp === "::1";
  // Where they are looked up, packets for ::1 have the address that takes its place.
  const ports = own ? { ...given, hostIp: loopback.target } : given;
  return [
    ...(own || given.hostIp === "::" ? loopElements(given) : []),
    ...leadElements(ports, address, version).map((element, at, { length }) =>
      direct ? { ...element, direct: directEntries(given, address, length > 1 ? [at] : undefined) } : element,
    ),
  ];
}

/** Those of the ports at some places; of all without. */
function directEntries(
  ports: PublishedPorts,
  address: string,
  at = [...Array(ports.count).keys()],
): DirectEntry[] {
  return at.flatMap(
    (place) =>
      directEntry(
        { ...ports, hostPort: ports.hostPort + place, containerPort: ports.containerPort + place },
        address,
      ) ?? [],
  );
}

/** The ports of a container that its own address is reached by where the network is routed. */
export function reachElements(
  { protocol, containerPort, count }: PublishedPorts,
  address: string,
): RuleElement[] {
  const set = `reach${address.includes(":") ? 6 : 4}`;
  return Array.from({ length: count }, (_, at) =>
    element({ family: "inet", set }, [
      addressField(address),
      protocolField(protocol),
      portField(containerPort + at),
    ]),
  );
}

/** What makes packets for ::1 go the way that leads to containers. */
function loopElements({ protocol, hostPort, count }: PublishedPorts): RuleElement[] {
  const key = (port: number): Field[] => [protocolField(protocol), portField(port)];
  if (count === 1) return [element({ family: "inet", set: "loop6" }, key(hostPort))];
  const last = hostPort + count - 1;
  return [
    {
      family: "inet",
      set: "loop6_range",
      key: bytesOf(key(hostPort)),
      keyEnd: bytesOf(key(last)),
      text: `${protocol} . ${hostPort}-${last}`,
    },
  ];
}

function leadElements(ports: PublishedPorts, address: string, version: 4 | 6): RuleElement[] {
  const any = ports.hostIp === (version === 4 ? "0.0.0.0" : "::");
  if (ports.count > 1 && ports.hostPort === ports.containerPort)
    return [rangeElement(ports, address, version)];
  return Array.from({ length: ports.count }, (_, at) => {
    const key = [protocolField(ports.protocol), portField(ports.hostPort + at)];
    const data = [addressField(address), portField(ports.containerPort + at)];
    return any
      ? element({ family: "inet", set: `port${version}` }, key, data)
      : element({ family: "inet", set: `port${version}_at` }, [addressField(ports.hostIp), ...key], data);
  });
}

/** One interval for a whole range that keeps its numbers. */
function rangeElement(
  { hostIp, hostPort, protocol, count }: PublishedPorts,
  address: string,
  version: 4 | 6,
): RuleElement {
  const [any, last] = version === 4 ? ["0.0.0.0", "255.255.255.255"] : ["::", `${"ffff:".repeat(7)}ffff`];
  const upper = addressField(hostIp === any ? last : hostIp);
  const from = [addressField(hostIp), protocolField(protocol), portField(hostPort)];
  const to = [upper, protocolField(protocol), portField(hostPort + count - 1)];
  const data = addressField(address);
  const shownAddress = hostIp === any ? `${any}/0` : hostIp;
  return {
    family: "inet",
    set: `range${version}`,
    key: bytesOf(from),
    keyEnd: bytesOf(to),
    data: data.bytes,
    text: `${shownAddress} . ${protocol} . ${hostPort}-${hostPort + count - 1} : ${address}`,
  };
}
