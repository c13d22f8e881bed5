import { readFileSync, writeFileSync } from "node:fs";

/** Writes one of the kernel's settings, by its path below /proc/sys, unless it is so already. */
export function setSwitch(name: string, value: string): void {
  const path = `/proc/sys/${name}`;
  if (readFileSync(path, "latin1").trim() !== value) writeFileSync(path, value);
}

/**
 * Lets a container in the host's network ping: a user namespace has no raw sockets there, but ICMP sockets
 * are for the groups that the host says (icmp(7)). The kernel's own default is nobody, most systems say
 * everybody; only the former is changed, and only for ids of containers.
 */
export function allowPing(firstGroup: number, lastGroup: number): void {
  const path = "/proc/sys/net/ipv4/ping_group_range";
  const [first = 1, last = 0] = readFileSync(path, "latin1").trim().split(/\s+/).map(Number);
  if (first > last) writeFileSync(path, `${firstGroup} ${lastGroup}`);
}
