import { flags, hostU16, hostU32, NetlinkMessage, parseAttributes, readU32 } from "./message.ts";

/** Message types and attributes of rtnetlink(7). */
const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  NEWNEIGH: 28,
} as const;
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  NET_NS_FD: 28,
} as const;
const BRIDGE = { MCAST_SNOOPING: 23 } as const;
const INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const VETH_PEER = 1;
const BRPORT = { HAIRPIN: 4, ISOLATED: 33 } as const;
/** Attributes of macvlan and ipvlan links, and of those of a VLAN. */
const VLAN_MODE = 1;
const IPVLAN_FLAGS = 2;
const VLAN_ID = 1;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 0x02;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7 } as const;
const NDA = { DST: 1, LLADDR: 2 } as const;
const IFF_UP = 1;
const FAMILY = { 4: 2, 6: 10 } as const;

/** Every network namespace's first link. */
export const LOOPBACK = 1;
/** NETLINK_ROUTE, the family of these messages. */
export const NETLINK_ROUTE = 0;

export interface Ip {
  version: 4 | 6;
  bytes: Uint8Array;
}

/** struct ifinfomsg. */
function link(index: number, up: boolean): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.set(hostU32(index), 4);
  fixed.set(hostU32(up ? IFF_UP : 0), 8);
  fixed.set(hostU32(up ? IFF_UP : 0), 12);
  return fixed;
}

const NEW = flags.REQUEST | flags.ACK | flags.CREATE | flags.EXCL;

/**
 * A bridge, up. Who listens to which group it does not look at: without an asker on the network, which there
 * is not, it floods them all the same, and every new port would cost a walk over all others.
 */
export function addBridge(name: string, options: { mtu?: number; mac?: Uint8Array } = {}): Buffer {
  const message = new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(0, true)).text(IFLA.IFNAME, name);
  if (options.mac) message.attribute(IFLA.ADDRESS, options.mac);
  if (options.mtu) message.u32(IFLA.MTU, options.mtu);
  return message
    .nest(IFLA.LINKINFO, (info) =>
      info.text(INFO.KIND, "bridge").nest(INFO.DATA, (data) => data.u8(BRIDGE.MCAST_SNOOPING, 0)),
    )
    .finish();
}

export interface VethPair {
  name: string;
  /** Has to be given: without it the kernel does not heed the peer's. */
  index: number;
  /** The host's side becomes a port of this bridge. */
  master: number;
  mtu?: number;
  peer: { name: string; index: number; mac: Uint8Array };
}

/**
 * A pair of links: one on a bridge of the host, up; its peer born inside the container's network
 * namespace, down, since it cannot go up before the pair is complete. `descriptorAt` is where the sender writes the descriptor of that namespace.
 */
export function addVeth(pair: VethPair): { message: Buffer; descriptorAt: number } {
  let descriptorAt = 0;
  const message = new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(pair.index, true))
    .text(IFLA.IFNAME, pair.name)
    .u32(IFLA.MASTER, pair.master);
  if (pair.mtu) message.u32(IFLA.MTU, pair.mtu);
  message.nest(IFLA.LINKINFO, (info) =>
    info.text(INFO.KIND, "veth").nest(INFO.DATA, (data) =>
      data.nest(VETH_PEER, (peer) => {
        peer.raw(link(pair.peer.index, false)).text(IFLA.IFNAME, pair.peer.name);
        peer.attribute(IFLA.ADDRESS, pair.peer.mac);
        if (pair.mtu) peer.u32(IFLA.MTU, pair.mtu);
        descriptorAt = peer.size + 4;
        peer.u32(IFLA.NET_NS_FD, 0);
      }),
    ),
  );
  return { message: message.finish(), descriptorAt };
}

/** A link that leads nowhere, up. */
export const addDummy = (name: string): Buffer =>
  new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(0, true))
    .text(IFLA.IFNAME, name)
    .nest(IFLA.LINKINFO, (info) => info.text(INFO.KIND, "dummy"))
    .finish();

/** The packets of one VLAN of a link (IEEE 802.1Q), up. */
export const addVlan = (name: string, parent: number, id: number): Buffer =>
  new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(0, true))
    .text(IFLA.IFNAME, name)
    .u32(IFLA.LINK, parent)
    .nest(IFLA.LINKINFO, (info) =>
      info.text(INFO.KIND, "vlan").nest(INFO.DATA, (data) => data.attribute(VLAN_ID, hostU16(id))),
    )
    .finish();

/** A pair of links of the host's own, the first up: the other cannot be before the pair is complete. */
export function addPair(
  one: { name: string; mac: Uint8Array },
  other: { name: string; mac: Uint8Array },
): Buffer {
  return new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(0, true))
    .text(IFLA.IFNAME, one.name)
    .attribute(IFLA.ADDRESS, one.mac)
    .nest(IFLA.LINKINFO, (info) =>
      info.text(INFO.KIND, "veth").nest(INFO.DATA, (data) =>
        data.nest(VETH_PEER, (peer) => {
          peer.raw(link(0, false)).text(IFLA.IFNAME, other.name).attribute(IFLA.ADDRESS, other.mac);
        }),
      ),
    )
    .finish();
}

/** Who has an IPv6 address on a link, for ever. */
export function addNeighbour(index: number, address: Uint8Array, mac: Uint8Array): Buffer {
  const NUD_PERMANENT = 0x80;
  const fixed = Buffer.alloc(12);
  fixed[0] = FAMILY[6];
  fixed.set(hostU32(index), 4);
  fixed.set(hostU16(NUD_PERMANENT), 8);
  const replace = flags.REQUEST | flags.ACK | flags.CREATE | flags.REPLACE;
  return new NetlinkMessage(RTM.NEWNEIGH, replace, 1, fixed)
    .attribute(NDA.DST, address)
    .attribute(NDA.LLADDR, mac)
    .finish();
}

export const setLinkUp = (index: number): Buffer =>
  new NetlinkMessage(RTM.NEWLINK, flags.REQUEST | flags.ACK, 1, link(index, true)).finish();

/** Makes a link a port of a bridge, and up. */
export function plugLink(name: string, to: { master: number; mtu?: number }): Buffer {
  const message = new NetlinkMessage(RTM.NEWLINK, flags.REQUEST | flags.ACK, 1, link(0, true))
    .text(IFLA.IFNAME, name)
    .u32(IFLA.MASTER, to.master);
  if (to.mtu) message.u32(IFLA.MTU, to.mtu);
  return message.finish();
}

export const deleteLink = (name: string): Buffer =>
  new NetlinkMessage(RTM.DELLINK, flags.REQUEST | flags.ACK, 1, link(0, false))
    .text(IFLA.IFNAME, name)
    .finish();

/**
 * Sets what a bridge's port may do: an isolated one does not reach others that are, a hairpin one gets
 * back what came from it.
 */
export const setPort = (name: string, port: { isolated: boolean; hairpin: boolean }): Buffer =>
  new NetlinkMessage(RTM.NEWLINK, flags.REQUEST | flags.ACK, 1, link(0, true))
    .text(IFLA.IFNAME, name)
    .nest(IFLA.LINKINFO, (info) =>
      info
        .text(INFO.SLAVE_KIND, "bridge")
        .nest(INFO.SLAVE_DATA, (data) =>
          data.u8(BRPORT.HAIRPIN, port.hairpin ? 1 : 0).u8(BRPORT.ISOLATED, port.isolated ? 1 : 0),
        ),
    )
    .finish();

export interface VirtualLan {
  kind: "macvlan" | "ipvlan";
  /** macvlan: 1 private, 2 vepa, 4 bridge, 8 passthru. ipvlan: 0 l2, 1 l3, 2 l3s. */
  mode: number;
  /** ipvlan: 0 bridge, 1 private, 2 vepa. */
  flags?: number;
  /** Index of the host's link that it shares. */
  parent: number;
  name: string;
  index: number;
  mac?: Uint8Array;
  mtu?: number;
}

/** A link of a container's network namespace on top of one of the host's; `descriptorAt` as in `addVeth`. */
export function addVirtualLan(lan: VirtualLan): { message: Buffer; descriptorAt: number } {
  const message = new NetlinkMessage(RTM.NEWLINK, NEW, 1, link(lan.index, true))
    .text(IFLA.IFNAME, lan.name)
    .u32(IFLA.LINK, lan.parent);
  if (lan.mac) message.attribute(IFLA.ADDRESS, lan.mac);
  if (lan.mtu) message.u32(IFLA.MTU, lan.mtu);
  const mode = lan.kind === "macvlan" ? hostU32(lan.mode) : hostU16(lan.mode);
  message.nest(IFLA.LINKINFO, (info) =>
    info.text(INFO.KIND, lan.kind).nest(INFO.DATA, (data) => {
      data.attribute(VLAN_MODE, mode);
      if (lan.flags) data.attribute(IPVLAN_FLAGS, hostU16(lan.flags));
    }),
  );
  const descriptorAt = message.size + 4;
  message.u32(IFLA.NET_NS_FD, 0);
  return { message: message.finish(), descriptorAt };
}

/** Asks for one link by name; the answer is read by `parseLink`. */
export const getLink = (name: string): Buffer =>
  new NetlinkMessage(RTM.GETLINK, flags.REQUEST | flags.ACK, 1, link(0, false))
    .text(IFLA.IFNAME, name)
    .finish();

export const getLinks = (): Buffer =>
  new NetlinkMessage(RTM.GETLINK, flags.REQUEST | flags.DUMP, 1, link(0, false)).finish();

export interface Link {
  index: number;
  name: string;
  mac: Buffer;
  kind: string;
}

/** A link from the payload of an RTM_NEWLINK answer. */
export function parseLink(payload: Buffer): Link {
  const attributes = parseAttributes(payload.subarray(16));
  const info = parseAttributes(attributes.get(IFLA.LINKINFO) ?? Buffer.alloc(0));
  return {
    index: readU32(payload, 4),
    name: text(attributes.get(IFLA.IFNAME)),
    mac: attributes.get(IFLA.ADDRESS) ?? Buffer.alloc(0),
    kind: text(info.get(INFO.KIND)),
  };
}

const text = (bytes: Buffer | undefined): string => bytes?.toString("utf8").replace(/\0.*$/s, "") ?? "";

/** An address with its prefix on a link; IPv6 skips the second that duplicate detection takes. */
export function addAddress(index: number, address: Ip, prefix: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed[0] = FAMILY[address.version];
  fixed[1] = prefix;
  fixed.set(hostU32(index), 4);
  const message = new NetlinkMessage(RTM.NEWADDR, NEW, 1, fixed)
    .attribute(IFA.LOCAL, address.bytes)
    .attribute(IFA.ADDRESS, address.bytes);
  if (address.version === 4) message.attribute(IFA.BROADCAST, broadcast(address.bytes, prefix));
  else message.u32(IFA.FLAGS, IFA_F_NODAD);
  return message.finish();
}

export const getAddresses = (): Buffer =>
  new NetlinkMessage(RTM.GETADDR, flags.REQUEST | flags.DUMP, 1, Buffer.alloc(8)).finish();

/** An IPv4 address from the payload of an RTM_NEWADDR answer; undefined for one of another family. */
export function parseAddress4(payload: Buffer): { index: number; cidr: string } | undefined {
  const bytes = parseAttributes(payload.subarray(8)).get(IFA.LOCAL);
  if (payload[0] !== FAMILY[4] || !bytes) return undefined;
  return { index: readU32(payload, 4), cidr: `${[...bytes].join(".")}/${payload[1]}` };
}

function broadcast(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, at) => {
    const fixedBits = Math.min(8, Math.max(0, prefix - at * 8));
    return byte | (0xff >> fixedBits);
  });
}

export interface Route {
  gateway?: Uint8Array;
  index?: number;
  destination?: { bytes: Uint8Array; prefix: number };
  /** The address that packets have which were given none. */
  source?: Uint8Array;
  /** In the table that is asked first, which otherwise has the host's own addresses. */
  first?: boolean;
  /** What comes for it is the host's own. */
  local?: boolean;
  /** Of several the lowest counts. */
  metric?: number;
}

/** A route by a gateway or straight through a link; without `destination` the default one. */
export const addRoute = (version: 4 | 6, options: Route): Buffer =>
  routeMessage(RTM.NEWROUTE, NEW, version, options);

/** Takes away the first route that is so. */
export const deleteRoute = (version: 4 | 6, options: Route): Buffer =>
  routeMessage(RTM.DELROUTE, flags.REQUEST | flags.ACK, version, options);

function routeMessage(type: number, verb: number, version: 4 | 6, options: Route): Buffer {
  const TABLE_MAIN = 254;
  const TABLE_LOCAL = 255;
  const PROTOCOL_BOOT = 3;
  const SCOPE_UNIVERSE = 0;
  const SCOPE_LINK = 253;
  const UNICAST = 1;
  const LOCAL = 2;
  const scope = options.gateway ? SCOPE_UNIVERSE : SCOPE_LINK;
  const fixed = Buffer.from([
    FAMILY[version],
    options.destination?.prefix ?? 0,
    0,
    0,
    options.first ? TABLE_LOCAL : TABLE_MAIN,
    PROTOCOL_BOOT,
    scope,
    options.local ? LOCAL : UNICAST,
    0,
    0,
    0,
    0,
  ]);
  const message = new NetlinkMessage(type, verb, 1, fixed);
  if (options.destination) message.attribute(RTA.DST, options.destination.bytes);
  if (options.gateway) message.attribute(RTA.GATEWAY, options.gateway);
  if (options.metric !== undefined) message.u32(RTA.PRIORITY, options.metric);
  if (options.source) message.attribute(RTA.PREFSRC, options.source);
  if (options.index !== undefined) message.u32(RTA.OIF, options.index);
  return message.finish();
}
