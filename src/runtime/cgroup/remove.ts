import { rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { describe, errnoOf } from "./files.ts";
import { childNames, groupDirectories } from "./processes.ts";
import type { CgroupHost } from "./support.ts";

/** One try, deepest groups first: true when the directory is gone, false when it is busy. */
function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT") return true;
    if (code !== "EBUSY" && code !== "ENOTEMPTY")
      throw system(`cannot remove control group ${directory}: ${describe(error)}`, error);
  }
  const children = childNames(directory);
  if (children.length === 0) return false;
  for (const name of children) if (!removeTree(join(directory, name))) return false;
  return removeTree(directory);
}

/** Removes a group from the hierarchies in which it has neither processes nor groups below it. */
export function removeIfUnused(host: CgroupHost, path: string): void {
  for (const directory of groupDirectories(host, path)) {
    try {
      rmdirSync(directory);
    } catch (error) {
      const code = errnoOf(error);
      if (code !== "EBUSY" && code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
    }
  }
}

/**
 * Removes a group, and groups made below it, in every hierarchy. A process counts until it is
 * reaped, so a busy group is tried again for `timeout` ms. `dirs` are the directories of its plan,
 * when known, to spare looking for others.
 */
export async function removeCgroup(
  host: CgroupHost,
  path: string,
  options: { dirs?: readonly string[]; timeout?: number } = {},
): Promise<void> {
  let left = (options.dirs ?? groupDirectories(host, path)).filter((directory) => !removeTree(directory));
  const deadline = performance.now() + (options.timeout ?? 1000);
  for (let pause = 1; left.length > 0; pause = Math.min(pause * 2, 50)) {
    if (performance.now() > deadline)
      throw system(`cannot remove control group ${left[0]}: device or resource busy`);
    await delay(pause);
    left = left.filter((directory) => !removeTree(directory));
  }
}
