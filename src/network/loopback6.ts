import { existsSync } from "node:fs";
import { linkIndex } from "./bridge.ts";
import { macBytes } from "./mac.ts";
import { addNeighbour, addPair, addRoute, deleteLink, setLinkUp } from "./netlink/route.ts";
import { addressBytes, parseAddress } from "./subnet.ts";
import { setSwitch } from "./switches.ts";

/**
 * The way from the host's own `::1` to published ports. The kernel takes answers for `::1` from the loopback
 * link alone, and from a bridge not at all; so such a connection first goes through a pair of links of the
 * host's, where it gets addresses that a container can answer to.
 */
export interface Loopback6 {
  /** Where the host's packets go in, and where they come out. */
  entry: string;
  exit: string;
  /** What takes the place of `::1` between both, as destination and as source. */
  target: string;
  source: string;
  /** Routes of several data roots to one destination have to differ in it. */
  metric: number;
}

const MACS = { entry: macBytes("02:42:00:00:00:01"), exit: macBytes("02:42:00:00:00:02") };

/** One data root's; `tag` sets it apart from another's. */
export function loopback6(tag: string): Loopback6 {
  const link = tag === "" ? "bn-" : `bn${tag}`;
  const number = tag === "" ? 0 : Number.parseInt(tag, 16);
  const address = (last: number): string => `fdbe:7468:${number.toString(16)}::${last}`;
  const [source, target] = [address(1), address(2)];
  return { entry: `${link}0`, exit: `${link}1`, target, source, metric: 1024 + number };
}

export const hasIpv6 = (): boolean => existsSync("/proc/sys/net/ipv6");

/** The message that makes both links. */
export const newLoopback6 = ({ entry, exit }: Loopback6): Buffer =>
  addPair({ name: entry, mac: MACS.entry }, { name: exit, mac: MACS.exit });

/** The messages that lead there and back, once the links are there. */
export function loopback6Routes({ entry, exit, target, source, metric }: Loopback6): Buffer[] {
  const [into, out] = [linkIndex(entry), linkIndex(exit)];
  if (into === undefined || out === undefined) return [];
  const bytes = (text: string): Uint8Array => addressBytes(parseAddress(text));
  for (const link of [entry, exit]) {
    setSwitch(`net/ipv6/conf/${link}/disable_ipv6`, "0");
    setSwitch(`net/ipv6/conf/${link}/accept_ra`, "0");
  }
  return [
    setLinkUp(out),
    addNeighbour(into, bytes(target), MACS.exit),
    addNeighbour(out, bytes(source), MACS.entry),
    addRoute(6, { destination: { bytes: bytes(target), prefix: 128 }, index: into }),
    addRoute(6, { destination: { bytes: bytes(source), prefix: 128 }, index: out }),
    // After the loopback link's own, which all others go on using.
    addRoute(6, {
      destination: { bytes: bytes("::1"), prefix: 128 },
      index: into,
      first: true,
      local: true,
      metric,
    }),
  ];
}

export const removeLoopback6 = ({ entry }: Loopback6): Buffer => deleteLink(entry);
