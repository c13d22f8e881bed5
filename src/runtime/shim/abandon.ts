import { readFileSync } from "node:fs";
import { removeDirectory } from "./directory.ts";
import { readPid } from "./exit.ts";

/** Field 22 of /proc/PID/stat, or null when there is no such process. */
export function startTimeOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return null;
  }
}

/** Ends what a shim that died during its launch left: the process, if it made one, and its directory. */
export function abandon(dir: string): void {
  const left = readPid(dir);
  if (left && startTimeOf(left.pid) === left.startTime) process.kill(left.pid, "SIGKILL");
  removeDirectory(dir);
}
