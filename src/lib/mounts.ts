import { readFileSync, realpathSync } from "node:fs";
import { type MountLine, parseMountinfo } from "./proc.ts";

/** Whether something is mounted exactly at a directory, which must exist. */
export function isMounted(directory: string): boolean {
  const path = realpathSync(directory);
  return ownMounts().some(({ target }) => target === path);
}

/** The mount that an existing path is on, of this process's. */
export function mountOf(path: string, mounts = ownMounts()): MountLine | undefined {
  const real = `${realpathSync(path)}/`;
  const above = mounts.filter(({ target }) => real.startsWith(target === "/" ? "/" : `${target}/`));
  // Of several at one place the last is seen.
  return above.reduce<MountLine | undefined>(
    (best, mount) => (best && best.target.length > mount.target.length ? best : mount),
    undefined,
  );
}

const ownMounts = (): MountLine[] => parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
