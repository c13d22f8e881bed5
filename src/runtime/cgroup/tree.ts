import { existsSync } from "node:fs";
import { join } from "node:path";
import { notFound } from "../../lib/errors.ts";
import { readOptional } from "./files.ts";
import { type GroupLimits, type GroupUsage, groupLimits, groupUsage } from "./limits.ts";
import { childGroups, groupDirectories } from "./processes.ts";
import type { CgroupHost } from "./support.ts";

/** One group, in whichever hierarchies it is. */
export interface GroupSummary {
  /** "/a/b"; "/" is the root. */
  path: string;
  /** Controllers of the v1 hierarchies it is in, or those its v2 group has. */
  controllers: string[];
  /** How many processes are in it itself. */
  processes: number;
  limits: GroupLimits;
  usage: GroupUsage;
  /** The name of the container that it is the group of. */
  container?: string;
  /** It was made for the start of a container that there is not yet; gone in seconds if none comes. */
  ahead?: true;
}

export interface GroupTree extends GroupSummary {
  children: GroupTree[];
}

export interface GroupDetails extends GroupSummary {
  /** The directories that are the group. */
  directories: string[];
  members: { pid: number; command: string }[];
  /** Paths of the groups directly below it. */
  children: string[];
}

function controllersOf(host: CgroupHost, path: string): string[] {
  const { hierarchies, unified } = host.layout;
  const found = hierarchies
    .filter(({ mountpoint }) => existsSync(join(mountpoint, path)))
    .flatMap(({ controllers, name }) => (name ? [`name=${name}`] : controllers));
  const own = unified && readOptional(join(unified.mountpoint, path, "cgroup.controllers"));
  return [...found, ...(own ?? "").split(/\s+/).filter(Boolean)];
}

/** The processes of the group itself: on v1 one group can hold different ones in each hierarchy. */
function membersOf(directories: readonly string[]): number[] {
  const members = new Set<number>();
  for (const directory of directories)
    for (const line of (readOptional(join(directory, "cgroup.procs")) ?? "").split("\n"))
      if (line !== "" && line !== "0") members.add(Number(line));
  return [...members].sort((a, b) => a - b);
}

function summary(host: CgroupHost, path: string): GroupSummary {
  return {
    path,
    controllers: controllersOf(host, path),
    processes: membersOf(groupDirectories(host, path)).length,
    limits: groupLimits(host, path),
    usage: groupUsage(host, path),
  };
}

const childrenOf = (host: CgroupHost, path: string): string[] =>
  childGroups(host, path).map((name) => join(path, name));

function requireGroup(host: CgroupHost, path: string): void {
  if (groupDirectories(host, path).length === 0) throw notFound(`No such control group: ${path}`);
}

/** The machine's groups from `path` down, each with what it may use and uses. Throws NOT_FOUND. */
export function groupTree(host: CgroupHost, path = "/"): GroupTree {
  requireGroup(host, path);
  return {
    ...summary(host, path),
    children: childrenOf(host, path)
      .filter((child) => groupDirectories(host, child).length > 0)
      .map((child) => groupTree(host, child)),
  };
}

const commandOf = (pid: number): string => {
  const words = readOptional(`/proc/${pid}/cmdline`)?.split("\0").filter(Boolean).join(" ");
  return words || `[${readOptional(`/proc/${pid}/comm`)?.trim() ?? "gone"}]`;
};

/** All about one group. Throws NOT_FOUND. */
export function groupDetails(host: CgroupHost, path: string): GroupDetails {
  requireGroup(host, path);
  const directories = groupDirectories(host, path);
  return {
    ...summary(host, path),
    directories,
    members: membersOf(directories).map((pid) => ({ pid, command: commandOf(pid) })),
    children: childrenOf(host, path),
  };
}
