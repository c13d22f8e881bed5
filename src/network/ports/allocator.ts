import { readFileSync } from "node:fs";
import { system } from "../../lib/errors.ts";
import type { Protocol, PublishedPorts } from "../types.ts";
import { type Listener, listeners } from "./listening.ts";

/** A port of a container that is to be published; hostPort 0 to 0 for any. */
export interface PortWish {
  protocol: Protocol;
  containerPort: number;
  hostIp: string;
  hostFirst: number;
  hostLast: number;
}

/** Ports of the host that containers have, and the choice of new ones. */
export class PortAllocator {
  /** "tcp/8080" to the addresses it is taken on. */
  readonly #taken = new Map<string, string[]>();
  #nextEphemeral = 0;

  /**
   * Takes a port for each wish. `addressOf` gives the container's address of the wish's family, for
   * messages. Throws with dockerd's words when one is not to be had; then nothing is taken.
   */
  take(wishes: readonly PortWish[], addressOf: (hostIp: string) => string): PublishedPorts[] {
    const served = new Map<Protocol, Listener[]>();
    for (const { protocol } of wishes) if (!served.has(protocol)) served.set(protocol, listeners(protocol));
    const taken: PublishedPorts[] = [];
    try {
      for (const wish of wishes) {
        const foreign = (served.get(wish.protocol) ?? []).filter(({ ip }) => serves(ip, wish.hostIp));
        const hostPort = this.#choose(wish, new Set(foreign.map(({ port }) => port)), addressOf(wish.hostIp));
        const { protocol, hostIp, containerPort } = wish;
        const ports = { protocol, hostIp, hostPort, containerPort, count: 1 };
        this.adopt([ports]);
        taken.push(ports);
      }
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return merge(taken);
  }

  /** Takes what a running container has, asked or not. */
  adopt(ports: readonly PublishedPorts[]): void {
    each(ports, (key, { hostIp }) => {
      const holders = this.#taken.get(key);
      if (holders) holders.push(hostIp);
      else this.#taken.set(key, [hostIp]);
    });
  }

  release(ports: readonly PublishedPorts[]): void {
    each(ports, (key, { hostIp }) => {
      const holders = this.#taken.get(key) ?? [];
      const at = holders.indexOf(hostIp);
      if (at >= 0) holders.splice(at, 1);
      if (holders.length === 0) this.#taken.delete(key);
    });
  }

  #isTaken({ protocol, hostIp }: PortWish, port: number): boolean {
    return (this.#taken.get(`${protocol}/${port}`) ?? []).some((other) => meets(other, hostIp));
  }

  #choose(wish: PortWish, foreign: ReadonlySet<number>, containerAddress: string): number {
    const { hostIp, hostFirst, hostLast, protocol, containerPort } = wish;
    const shownIp = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
    if (hostFirst === hostLast && hostFirst !== 0) {
      if (this.#isTaken(wish, hostFirst)) {
        throw system(`Bind for ${shownIp}:${hostFirst} failed: port is already allocated`);
      }
      if (foreign.has(hostFirst)) {
        throw system(
          `failed to bind host port for ${shownIp}:${hostFirst}:${containerAddress}:${containerPort}/${protocol}: address already in use`,
        );
      }
      return hostFirst;
    }
    const [first, last] = hostFirst === 0 ? ephemeralRange() : [hostFirst, hostLast];
    const size = last - first + 1;
    const start = hostFirst === 0 ? this.#nextEphemeral++ : 0;
    for (let offset = 0; offset < size; offset++) {
      const port = first + ((start + offset) % size);
      if (this.#isTaken(wish, port) || foreign.has(port)) continue;
      if (hostFirst === 0) this.#nextEphemeral = start + offset + 1;
      return port;
    }
    throw system(`Bind for ${shownIp}:${first}-${last} failed: all ports are allocated`);
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

function each(ports: readonly PublishedPorts[], work: (key: string, ports: PublishedPorts) => void): void {
  for (const entry of ports)
    for (let at = 0; at < entry.count; at++) work(`${entry.protocol}/${entry.hostPort + at}`, entry);
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
