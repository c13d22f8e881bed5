import { dirname, join } from "node:path";
import { conflict, invalid, notFound } from "../../lib/errors.ts";
import type { Resources } from "../oci.ts";
import { applyPlan } from "./apply.ts";
import { errnoOf } from "./files.ts";
import { groupLimits } from "./limits.ts";
import { planCgroup } from "./plan.ts";
import { prepareParent } from "./prepare.ts";
import { groupDirectories, killAll, moveProcess, processesOf } from "./processes.ts";
import { removeCgroup } from "./remove.ts";
import { resourcesOf } from "./resources.ts";
import type { CgroupHost } from "./support.ts";
import { updateCgroup } from "./update.ts";
import type { ResourceOptions } from "./validate.ts";

/**
 * Makes a group with limits, in the hierarchies that account and those a limit needs; what is missing
 * above it is made too. Nothing stays when a limit is refused. Throws CONFLICT when it exists.
 */
export async function createGroup(host: CgroupHost, path: string, options: ResourceOptions): Promise<void> {
  if (path === "/") throw invalid("the root control group exists always");
  if (groupDirectories(host, path).length > 0) throw conflict(`control group ${path} exists already`);
  const resources = resourcesOf(options);
  const made = firstMissing(host, path);
  try {
    applyPlan(planCgroup(host, path, resources, prepareParent(host, dirname(path), resources)));
  } catch (error) {
    await removeCgroup(host, made);
    throw error;
  }
}

/** The highest group on the way to `path` that is not there yet. */
function firstMissing(host: CgroupHost, path: string): string {
  const parent = dirname(path);
  return parent === "/" || groupDirectories(host, parent).length > 0 ? path : firstMissing(host, parent);
}

const lifted = (value: number | null | undefined): boolean =>
  value !== undefined && value !== null && value < 0;

/** Changes the limits that are given; -1 lifts one. Throws NOT_FOUND, or what the kernel refuses. */
export function changeGroup(host: CgroupHost, path: string, options: ResourceOptions): void {
  if (groupDirectories(host, path).length === 0) throw notFound(`No such control group: ${path}`);
  if (path === "/") throw invalid("the root control group cannot be limited");
  const now = groupLimits(host, path);
  const wish = { ...options };
  // Memory and swap together must stay at least the memory.
  if (now.memorySwap !== undefined && !wish.MemorySwap && wish.Memory)
    wish.MemorySwap = lifted(wish.Memory) ? -1 : wish.Memory * 2;
  const after = resourcesOf(wish);
  // Only what differs is written: what is to be lifted counts as limited now, the rest as unlimited.
  const before: Resources = {
    memory: {
      limit: lifted(wish.Memory) ? (now.memory ?? 1) : undefined,
      swap: lifted(wish.MemorySwap) ? (now.memorySwap ?? 1) : undefined,
      reservation: lifted(wish.MemoryReservation) ? 1 : undefined,
    },
    cpu: {
      quota: lifted(wish.CpuQuota) || lifted(wish.NanoCpus) ? 1 : undefined,
      period: undefined,
    },
    ...(lifted(wish.PidsLimit) ? { pids: { limit: 1 } } : {}),
  };
  if (after.memory?.limit && !lifted(wish.Memory)) before.memory = { ...before.memory, limit: now.memory };
  if (after.memory?.swap && after.memory.swap < 0) after.memory.swap = undefined;
  if (after.cpu?.quota && after.cpu.quota < 0) after.cpu.quota = undefined;
  updateCgroup(host, path, before, after);
}

/** Puts running processes, with all their threads, into a group. Throws NOT_FOUND for either. */
export function putIntoGroup(host: CgroupHost, path: string, pids: readonly number[]): void {
  if (groupDirectories(host, path).length === 0) throw notFound(`No such control group: ${path}`);
  for (const pid of pids) {
    if (!Number.isInteger(pid) || pid < 1) throw invalid(`invalid process id ${pid}`);
    try {
      moveProcess(host, path, pid);
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      if (errnoOf(cause) === "ESRCH") throw notFound(`No such process: ${pid}`);
      if (errnoOf(cause) === "EBUSY")
        throw conflict(
          `control group ${path} hands controllers to groups below it: put the process into one of those`,
        );
      throw error;
    }
  }
}

/**
 * Removes a group and those below it. Throws CONFLICT while processes are in them, unless `force`:
 * then they are killed first.
 */
export async function removeGroup(host: CgroupHost, path: string, force = false): Promise<void> {
  if (path === "/") throw invalid("the root control group cannot be removed");
  if (groupDirectories(host, path).length === 0) throw notFound(`No such control group: ${path}`);
  const left = processesOf(host, path, { recursive: true });
  if (left.length > 0 && !force)
    throw conflict(
      `control group ${path} has ${left.length === 1 ? "a process" : `${left.length} processes`} (${left.slice(0, 5).join(", ")}): move or stop them, or use force to kill them`,
    );
  if (left.length > 0) await killAll(host, path);
  await removeCgroup(host, path);
}

/** Whether a group is another, or below it. */
export const isWithin = (inner: string, outer: string): boolean =>
  join(inner, "/").startsWith(join(outer, "/"));
