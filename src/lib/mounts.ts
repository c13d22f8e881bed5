import { readFileSync, realpathSync } from "node:fs";
import { parseMountinfo } from "./proc.ts";

/** Whether something is mounted exactly at a directory, which must exist. */
export function isMounted(directory: string): boolean {
  const path = realpathSync(directory);
  return parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).some(({ target }) => target === path);
}
