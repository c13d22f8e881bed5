import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { errnoOf, readOptional, writeValues } from "./files.ts";
import { hierarchyOf } from "./layout.ts";
import type { CgroupHost } from "./support.ts";

/** The directory that lists a group's processes: any hierarchy in which every group exists. */
export function mainDirectory(host: CgroupHost, path: string): string {
  const { layout } = host;
  const hierarchy =
    layout.mode === "v2"
      ? undefined
      : (hierarchyOf(layout, "memory") ?? hierarchyOf(layout, "pids") ?? layout.hierarchies[0]);
  const mountpoint = hierarchy?.mountpoint ?? layout.unified?.mountpoint;
  if (mountpoint === undefined)
    throw system("no control groups are mounted; mount cgroup2 on /sys/fs/cgroup");
  return join(mountpoint, path);
}

/** Where a group exists, by hierarchy: the v1 directories, or the v2 one. */
export function groupDirectories(host: CgroupHost, path: string): string[] {
  const { layout } = host;
  const mountpoints = layout.hierarchies.map((hierarchy) => hierarchy.mountpoint);
  if (layout.unified) mountpoints.push(layout.unified.mountpoint);
  return mountpoints.map((mountpoint) => join(mountpoint, path)).filter((directory) => existsSync(directory));
}

/** Child groups' names in a directory of a cgroup tree. */
export function childNames(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Names of the groups directly below one, over all hierarchies, in order: what a crash left may be in one only. */
export function childGroups(host: CgroupHost, path: string): string[] {
  return [...new Set(groupDirectories(host, path).flatMap(childNames))].sort();
}

function collect(directory: string, recursive: boolean, found: Set<number>): void {
  for (const line of (readOptional(join(directory, "cgroup.procs")) ?? "").split("\n"))
    if (line !== "" && line !== "0") found.add(Number(line));
  if (recursive) for (const name of childNames(directory)) collect(join(directory, name), true, found);
}

/** The processes in a group (and those below it), ascending; none when there is no such group. */
export function processesOf(host: CgroupHost, path: string, options?: { recursive?: boolean }): number[] {
  const found = new Set<number>();
  collect(mainDirectory(host, path), options?.recursive ?? false, found);
  return [...found].sort((a, b) => a - b);
}

/**
 * A v2 group that hands controllers down takes no processes: a container that divided its own group, as
 * one with an init system does, moved its first process into a group below, and others join that.
 */
function birthplace(mountpoint: string, path: string, firstPid: number | null): string {
  const directory = join(mountpoint, path);
  if (firstPid === null || !readOptional(join(directory, "cgroup.subtree_control"))?.trim()) return directory;
  const [, inner] = /^0::(.*)$/m.exec(readOptional(`/proc/${firstPid}/cgroup`) ?? "") ?? [];
  return inner?.startsWith(`${path}/`) ? join(mountpoint, inner) : directory;
}

/**
 * The files a further process of a running container writes "0" to (v1), or the directory to clone
 * it into (v2), as in the container's own plan. Covers groups made after the start.
 */
export function joinsOf(
  host: CgroupHost,
  path: string,
  firstPid: number | null,
): { joins: string[]; cloneInto?: string } {
  const { layout } = host;
  if (layout.mode === "v2")
    return { joins: [], cloneInto: birthplace(layout.unified?.mountpoint ?? "", path, firstPid) };
  const joins = layout.hierarchies
    .map((hierarchy) => join(hierarchy.mountpoint, path, "tasks"))
    .filter((tasks) => existsSync(tasks));
  const unified = layout.unified && join(layout.unified.mountpoint, path);
  if (!layout.unified || !unified || !existsSync(unified)) return { joins };
  return { joins, cloneInto: birthplace(layout.unified.mountpoint, path, firstPid) };
}

/** Moves a process, with all its threads, into a group of every hierarchy that has it. */
export function moveProcess(host: CgroupHost, path: string, pid: number): void {
  for (const directory of groupDirectories(host, path)) moveInto(directory, pid);
}

function moveInto(directory: string, pid: number): void {
  writeValues({ path: join(directory, "cgroup.procs"), values: [`${pid}`] });
}

/** How often a group that keeps forking is read again before that counts as a failure. */
const passes = 20;

/** Brings all processes of a running group into a directory of a hierarchy it did not use before. */
export function moveAll(host: CgroupHost, path: string, directory: string): void {
  const moved = new Set<number>();
  for (let pass = 0; pass < passes; pass++) {
    const left = processesOf(host, path, { recursive: true }).filter((pid) => !moved.has(pid));
    if (left.length === 0) return;
    for (const pid of left) {
      moved.add(pid);
      try {
        moveInto(directory, pid);
      } catch (error) {
        if (errnoOf(error instanceof Error ? error.cause : error) !== "ESRCH") throw error;
      }
    }
  }
  throw system(`the processes of ${path} fork too fast to be moved into ${directory}`);
}

/**
 * Sends SIGKILL to everything in a group and below, until nothing is left or `timeout` ms have
 * passed. True when the group is empty.
 */
export async function killAll(host: CgroupHost, path: string, timeout = 2000): Promise<boolean> {
  const kill = join(mainDirectory(host, path), "cgroup.kill");
  const atOnce = host.layout.mode === "v2" && existsSync(kill);
  const deadline = performance.now() + timeout;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const left = processesOf(host, path, { recursive: true });
    if (left.length === 0) return true;
    if (pause === 1) thawV1(host, path);
    if (performance.now() > deadline) return false;
    if (atOnce) writeValues({ path: kill, values: ["1"] });
    else for (const pid of left) killOne(pid);
    await delay(pause);
  }
}

/** In a frozen v1 group a signal waits; a v2 one lets SIGKILL through. */
function thawV1(host: CgroupHost, path: string): void {
  const hierarchy = host.layout.mode === "v2" ? undefined : hierarchyOf(host.layout, "freezer");
  const state = hierarchy && join(hierarchy.mountpoint, path, "freezer.state");
  if (state !== undefined) writeValues({ path: state, values: ["THAWED"], optional: true });
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}
