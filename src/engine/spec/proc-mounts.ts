import { existsSync, statfsSync } from "node:fs";
import { posix } from "node:path";
import type { Mount } from "../../runtime/oci.ts";
import { refusedSpec } from "./refused.ts";

const PROC_SUPER_MAGIC = 0x9fa0;

/** Files of /proc that are covered to show a container its own share of the machine, as lxcfs does. */
const coverable = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/slabinfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/sys/crypto/fips_enabled",
  "/proc/sys/kernel/ns_last_pid",
]);

/** Refuses to cover /proc: what protects the rest of it would then be looked up in a forgery. runc's rule and texts. */
export function checkProcMount({ destination, source = "", type }: Mount): void {
  const path = posix.normalize(destination).replace(/\/$/, "");
  if (path !== "/proc" && !path.startsWith("/proc/")) return;
  if (coverable.has(path)) return;
  const quoted = JSON.stringify(path);
  if (path !== "/proc")
    throw mountRefused(source, path, `${quoted} cannot be mounted because it is inside /proc`);
  if (type === "bind" && isProc(source)) return;
  throw mountRefused(source, path, `${quoted} cannot be mounted because it is not of type proc`);
}

const mountRefused = (source: string, path: string, why: string): Error =>
  refusedSpec(
    `unable to start container process: error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(path)}: ${why}`,
  );

const isProc = (path: string): boolean => existsSync(path) && statfsSync(path).type === PROC_SUPER_MAGIC;
