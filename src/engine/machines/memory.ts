import { readFileSync } from "node:fs";

function field(name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(
    readFileSync("/proc/meminfo", "latin1"),
  )?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Bytes that the host can give without swapping (proc_meminfo(5), MemAvailable). */
export const availableMemory = (): number => field("MemAvailable");

/** All bytes of memory of the host. */
export const totalMemory = (): number => field("MemTotal");
