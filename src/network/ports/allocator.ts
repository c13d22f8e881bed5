import { readFileSync } from "node:fs";
import { system } from "../../lib/errors.ts";
import type { Protocol, PublishedPorts } from "../types.ts";
import { IN_USE, PortHolds } from "./holds.ts";
import { type Listener, listeners } from "./listening.ts";

/** A port of a container that is to be published; hostPort 0 to 0 for any. */
export interface PortWish {
  protocol: Protocol;
  containerPort: number;
  /** All of them get the same port: of both families for a port that is published everywhere. */
  hostIps: readonly string[];
  hostFirst: number;
  hostLast: number;
}

/** Ports of the host that containers have, and the choice of new ones. */
export class PortAllocator {
  /** "tcp/8080" to the addresses it is taken on. */
  readonly #taken = new Map<string, string[]>();
  readonly #holds = new PortHolds();
  #nextEphemeral = 0;

  /**
   * Takes a port for each wish. `addressOf` gives the container's address of the wish's family, for
   * messages. Throws with dockerd's words when one is not to be had; then nothing is taken.
   */
  async take(wishes: readonly PortWish[], addressOf: (hostIp: string) => string): Promise<PublishedPorts[]> {
    const suspects = new Suspects(this.#holds, wishes.length);
    const taken: PublishedPorts[] = [];
    try {
      for (const wish of wishes) taken.push(...(await this.#takeOne(wish, suspects, addressOf)));
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return merge(taken);
  }

  /** Takes what a running container has, asked or not; what another program took meanwhile is held by nobody. */
  adopt(ports: readonly PublishedPorts[]): void {
    this.#mark(ports);
    // Each may be on an address of either family.
    if (ports.reduce((sum, { count }) => sum + count, 0) > 2 * FEW) return;
    each(ports, (_, { protocol, hostIp }, port) => {
      if (protocol !== "sctp") void this.#holds.hold(protocol, hostIp, port);
    });
  }

  release(ports: readonly PublishedPorts[]): void {
    each(ports, (key, { protocol, hostIp }, port) => {
      this.#holds.release(protocol, hostIp, port);
      const holders = this.#taken.get(key) ?? [];
      const at = holders.indexOf(hostIp);
      if (at >= 0) holders.splice(at, 1);
      if (holders.length === 0) this.#taken.delete(key);
    });
  }

  /** Lets the ports go that it holds; containers keep theirs. */
  close(): void {
    this.#holds.close();
  }

  #mark(ports: readonly PublishedPorts[]): void {
    each(ports, (key, { hostIp }) => {
      const holders = this.#taken.get(key);
      if (holders) holders.push(hostIp);
      else this.#taken.set(key, [hostIp]);
    });
  }

  /** The first of the wish's addresses on which somebody has the port. */
  #takenOn({ protocol, hostIps }: PortWish, port: number): string | undefined {
    const holders = this.#taken.get(`${protocol}/${port}`) ?? [];
    return hostIps.find((ip) => holders.some((other) => meets(other, ip)));
  }

  async #takeOne(
    wish: PortWish,
    suspects: Suspects,
    addressOf: (hostIp: string) => string,
  ): Promise<PublishedPorts[]> {
    const { hostIps, hostFirst, hostLast, protocol, containerPort } = wish;
    const fixed = hostFirst === hostLast && hostFirst !== 0;
    const shown = (ip: string): string => (ip.includes(":") ? `[${ip}]` : ip);
    let inTheWay = hostIps[0] ?? "";
    for (const hostPort of this.#candidates(wish)) {
      const holder = this.#takenOn(wish, hostPort);
      if (holder !== undefined) {
        inTheWay = holder;
        continue;
      }
      const ports = hostIps.map((hostIp) => ({ protocol, hostIp, hostPort, containerPort, count: 1 }));
      // Nobody else may come to it while the kernel is asked.
      this.#mark(ports);
      const foreign = await firstForeign(suspects, ports);
      if (foreign === undefined) {
        if (hostFirst === 0) this.#nextEphemeral = hostPort + 1;
        return ports;
      }
      this.release(ports);
      if (fixed) {
        throw system(
          `failed to bind host port for ${shown(foreign.ip)}:${hostPort}:${addressOf(foreign.ip)}:${containerPort}/${protocol}: ${foreign.why}`,
        );
      }
    }
    throw system(
      hostFirst === hostLast
        ? `Bind for ${shown(inTheWay)}:${hostFirst} failed: port is already allocated`
        : `Bind for ${shown(inTheWay)}:${hostFirst}-${hostLast} failed: all ports are allocated`,
    );
  }

  /** The ports that would do, in the order in which they are tried. */
  *#candidates({ hostFirst, hostLast }: PortWish): Generator<number> {
    const [first, last] = hostFirst === 0 ? ephemeralRange() : [hostFirst, hostLast];
    const start = hostFirst === 0 ? Math.max(0, this.#nextEphemeral - first) : 0;
    const size = last - first + 1;
    for (let offset = 0; offset < size; offset++) yield first + ((start + offset) % size);
  }
}

/** The first address on which the port cannot be had because of others than Berth, and why. */
async function firstForeign(
  suspects: Suspects,
  ports: readonly PublishedPorts[],
): Promise<{ ip: string; why: string } | undefined> {
  for (const { protocol, hostIp, hostPort } of ports) {
    const why = await suspects.refusal(protocol, hostIp, hostPort);
    if (why !== undefined) return { ip: hostIp, why };
  }
  return undefined;
}

/** As many ports are tried and held one by one; for more a list is read first, which takes ten milliseconds. */
const FEW = 16;

/** What other programs of the host have. */
class Suspects {
  readonly #holds: PortHolds;
  readonly #few: boolean;
  readonly #seen = new Set<string>();
  readonly #lists = new Map<Protocol, Map<number, Listener[]>>();

  constructor(holds: PortHolds, count: number) {
    this.#holds = holds;
    this.#few = count <= FEW;
  }

  /** Why the port cannot be had; if it can, it is held, unless it is one of many. */
  async refusal(protocol: Protocol, ip: string, port: number): Promise<string | undefined> {
    const first = !this.#seen.has(ip);
    this.#seen.add(ip);
    // Whether the host has an address at all shows with any port of it.
    if (protocol !== "sctp" && (this.#few || first)) return this.#holds.hold(protocol, ip, port);
    const suspected = (this.#list(protocol).get(port) ?? []).some((listener) => serves(listener.ip, ip));
    if (!suspected) return undefined;
    return protocol === "sctp" ? IN_USE : this.#holds.hold(protocol, ip, port);
  }

  #list(protocol: Protocol): Map<number, Listener[]> {
    let list = this.#lists.get(protocol);
    if (!list) {
      list = Map.groupBy(listeners(protocol), ({ port }) => port);
      this.#lists.set(protocol, list);
    }
    return list;
  }
}

/** Whether one port on both addresses would be in each other's way. */
function meets(a: string, b: string): boolean {
  if (a.includes(":") !== b.includes(":")) return false;
  return a === b || [a, b].some((ip) => ip === "0.0.0.0" || ip === "::");
}

/** A program on [::] serves IPv4 too unless it asked not to, which /proc does not tell. */
const serves = (listener: string, hostIp: string): boolean =>
  meets(listener, hostIp) || (listener === "::" && !hostIp.includes(":"));

function each(
  ports: readonly PublishedPorts[],
  work: (key: string, ports: PublishedPorts, port: number) => void,
): void {
  for (const entry of ports)
    for (let port = entry.hostPort; port < entry.hostPort + entry.count; port++)
      work(`${entry.protocol}/${port}`, entry, port);
}

/** Neighbours become ranges. */
function merge(ports: readonly PublishedPorts[]): PublishedPorts[] {
  const merged: PublishedPorts[] = [];
  for (const next of ports) {
    const last = merged.findLast(
      ({ protocol, hostIp }) => protocol === next.protocol && hostIp === next.hostIp,
    );
    if (
      last &&
      next.hostPort === last.hostPort + last.count &&
      next.containerPort === last.containerPort + last.count
    )
      last.count++;
    else merged.push({ ...next });
  }
  return merged;
}

/** Where the host takes ports from that nobody chose; those are free more often than not. */
function ephemeralRange(): [number, number] {
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1")
    .trim()
    .split(/\s+/)
    .map(Number);
  return [first, last];
}
