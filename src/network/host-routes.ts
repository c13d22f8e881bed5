import { readFileSync } from "node:fs";
import { parseCidr, type Range } from "./subnet.ts";

/** A destination that the host reaches through a link. */
export interface HostRoute {
  link: string;
  range: Range;
}

/** The host's routes but for default ones, the loopback's, and those of single addresses (proc_pid_net(5)). */
export function hostRoutes(): HostRoute[] {
  return [...parseRoutes4(read("/proc/net/route")), ...parseRoutes6(read("/proc/net/ipv6_route"))];
}

/** Lines of "Iface Destination Gateway Flags … Mask …", numbers in hexadecimal of the machine's byte order. */
export function parseRoutes4(text: string): HostRoute[] {
  const routes: HostRoute[] = [];
  for (const line of text.split("\n").slice(1)) {
    const [link, destination = "", , , , , , mask = ""] = line.trim().split(/\s+/);
    if (!link || link === "lo" || !/^[0-9A-Fa-f]{8}$/.test(destination)) continue;
    const prefix = [...Number.parseInt(mask, 16).toString(2)].filter((bit) => bit === "1").length;
    if (prefix === 0) continue;
    const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(destination.slice(at, at + 2), 16));
    routes.push({ link, range: parseCidr(`${bytes.join(".")}/${prefix}`) });
  }
  return routes;
}

/** Lines of "destination prefix source prefix next-hop metric … device". */
export function parseRoutes6(text: string): HostRoute[] {
  const routes: HostRoute[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const [destination = "", length = ""] = fields;
    const link = fields.at(-1) ?? "";
    const prefix = Number.parseInt(length, 16);
    if (destination.length !== 32 || link === "lo" || prefix === 0 || prefix === 128) continue;
    // Link-local and multicast routes are there on every link.
    if (/^(fe80|ff)/.test(destination)) continue;
    const groups = destination.match(/.{4}/g) ?? [];
    routes.push({ link, range: parseCidr(`${groups.join(":")}/${prefix}`) });
  }
  return routes;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    // Without IPv6 there is no such file.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
