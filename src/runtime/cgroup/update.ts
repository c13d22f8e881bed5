import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Resources } from "../oci.ts";
import { makeDirectory, writeValues } from "./files.ts";
import type { FileWrite } from "./plan.ts";
import { type ParentLists, writesV1 } from "./plan-v1.ts";
import { writesV2 } from "./plan-v2.ts";
import { prepareHierarchy, prepareParent } from "./prepare.ts";
import { mainDirectory, moveAll } from "./processes.ts";
import type { CgroupHost } from "./support.ts";

/** How a running container comes to new limits. */
export interface CgroupUpdate {
  /** Groups in hierarchies it did not use so far; its processes are moved there after the writes. */
  dirs: string[];
  writes: FileWrite[];
}

/** What a file holds in a group without limits. Weights and lists have their own default elsewhere. */
const unlimited: Record<string, string> = {
  "memory.limit_in_bytes": "-1",
  "memory.memsw.limit_in_bytes": "-1",
  "memory.soft_limit_in_bytes": "-1",
  "memory.swappiness": "60",
  "memory.oom_control": "0",
  "cpu.shares": "1024",
  "cpu.cfs_period_us": "100000",
  "cpu.cfs_quota_us": "-1",
  "cpu.rt_runtime_us": "0",
  "blkio.weight": "500",
  "blkio.bfq.weight": "100",
  "pids.max": "max",
  "memory.max": "max",
  "memory.swap.max": "max",
  "memory.low": "0",
  "cpu.weight": "100",
  "cpu.max": "max 100000",
  "cpuset.cpus": "",
  "cpuset.mems": "",
  "io.weight": "default 100",
  "io.bfq.weight": "100",
};

/** Writes that turn a group told `before` into one told `after`. */
function difference(before: readonly FileWrite[], after: readonly FileWrite[]): FileWrite[] {
  const same = (a: FileWrite, b: FileWrite) => a.path === b.path && a.values.join() === b.values.join();
  const changed = after.filter((write) => !before.some((old) => same(old, write)));
  const lifted = before
    .filter((old) => !after.some((write) => write.path === old.path))
    .flatMap((old) => {
      const value = unlimited[old.path.slice(old.path.lastIndexOf("/") + 1)];
      return value === undefined ? [] : [{ ...old, values: [value] }];
    });
  return [...changed, ...lifted];
}

/** Puts one file's write before another's, if both are there. */
function writeFirst(writes: FileWrite[], first: string, second: string): void {
  const ends = (file: string) => writes.findIndex((write) => write.path.endsWith(`/${file}`));
  const [from, to] = [ends(first), ends(second)];
  if (from < 0 || to < 0 || from < to) return;
  const [moved] = writes.splice(from, 1);
  if (moved) writes.splice(to, 0, moved);
}

const orNone = (limit: number | undefined): number => (limit && limit > 0 ? limit : Infinity);

/** The kernel checks each write by itself, so limits that depend on each other have an order. */
function order(writes: FileWrite[], before: Resources, after: Resources): FileWrite[] {
  // Memory must never exceed memory+swap: raise the sum first, lower it last.
  const rises = orNone(after.memory?.limit) > orNone(before.memory?.limit);
  const memory = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] as const;
  if (rises) writeFirst(writes, memory[1], memory[0]);
  else writeFirst(writes, memory[0], memory[1]);
  // The quota's share of the period must not exceed the parent's at any time.
  const shorter = (after.cpu?.period || 100000) < (before.cpu?.period || 100000);
  const cpu = ["cpu.cfs_quota_us", "cpu.cfs_period_us"] as const;
  if (shorter) writeFirst(writes, cpu[0], cpu[1]);
  else writeFirst(writes, cpu[1], cpu[0]);
  return writes;
}

/** The steps from one set of limits to another; device rules of a running container stay. Pure but for `exists`. */
export function planUpdate(
  host: CgroupHost,
  path: string,
  before: Resources,
  after: Resources,
  parent: ParentLists = host.support,
  exists: (directory: string) => boolean = existsSync,
): CgroupUpdate {
  const update: CgroupUpdate = { dirs: [], writes: [] };
  if (host.layout.mode === "v2") {
    const directory = mainDirectory(host, path);
    update.writes.push(...difference(writesV2(host, directory, before), writesV2(host, directory, after)));
    return update;
  }
  for (const hierarchy of host.layout.hierarchies) {
    const directory = join(hierarchy.mountpoint, path);
    const told = (resources: Resources) =>
      hierarchy.controllers
        .filter((controller) => controller !== "devices")
        .flatMap((controller) => writesV1(controller, directory, resources, host, parent));
    const fresh = !exists(directory);
    const writes = fresh ? told(after) : difference(told(before), told(after));
    if (writes.length === 0) continue;
    if (fresh) update.dirs.push(directory);
    for (const write of writes) fillCpusetDefault(write, parent);
    update.writes.push(...writes);
  }
  return { ...update, writes: order(update.writes, before, after) };
}

/** A v1 cpuset cannot be emptied while it has processes; without a wish it has all its parent has. */
function fillCpusetDefault(write: FileWrite, parent: ParentLists): void {
  if (write.values[0] !== "") return;
  if (write.path.endsWith("/cpuset.cpus")) write.values = [parent.cpus];
  if (write.path.endsWith("/cpuset.mems")) write.values = [parent.mems];
}

/**
 * Changes the limits of a running container. Rejected values leave those before them in place;
 * the error names the file, as `failed to write "1": write /sys/fs/cgroup/…: invalid argument`.
 */
export function updateCgroup(host: CgroupHost, path: string, before: Resources, after: Resources): void {
  const parent = prepareParent(host, dirname(path), after);
  const update = planUpdate(host, path, before, after, parent);
  for (const directory of update.dirs) {
    const controller = host.layout.hierarchies.find((hierarchy) =>
      directory.startsWith(`${hierarchy.mountpoint}/`),
    )?.controllers[0];
    if (controller) prepareHierarchy(host, controller, dirname(path));
    makeDirectory(directory);
  }
  for (const write of update.writes) writeValues(write);
  for (const directory of update.dirs) moveAll(host, path, directory);
}
