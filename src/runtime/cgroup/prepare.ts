import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { system } from "../../lib/errors.ts";
import type { Resources } from "../oci.ts";
import { describe, errnoOf, makeDirectory, writeValues } from "./files.ts";
import { hierarchyOf, type UnifiedTree } from "./layout.ts";
import { accountingControllers, type ParentLists, usesUnified } from "./plan-v1.ts";
import type { CgroupHost } from "./support.ts";

const prepared = new WeakMap<CgroupHost, Set<string>>();

/** A group's ancestors from the first below the root down to the group itself: /a, /a/b for /a/b. */
function chain(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

/** Gives an empty v1 cpuset its parent's lists, upwards as far as needed: without them nothing runs in it. */
function fillCpuset(directory: string): ParentLists {
  const lists = ["cpuset.cpus", "cpuset.mems"].map((file) => {
    const path = join(directory, file);
    const own = readFileSync(path, "latin1").trim();
    if (own !== "") return own;
    const above = fillCpuset(dirname(directory));
    const value = file === "cpuset.cpus" ? above.cpus : above.mems;
    writeValues({ path, values: [value] });
    return value;
  });
  return { cpus: lists[0] ?? "", mems: lists[1] ?? "" };
}

function prepareCpuset(host: CgroupHost, parent: string): ParentLists | undefined {
  const hierarchy = hierarchyOf(host.layout, "cpuset");
  if (!hierarchy) return undefined;
  for (const step of chain(parent)) makeDirectory(join(hierarchy.mountpoint, step));
  return fillCpuset(join(hierarchy.mountpoint, parent));
}

/** The controllers that Docker's limits are made of; what else a kernel has may stay out of reach. */
const limiting = ["cpuset", "cpu", "io", "memory", "pids"];

/** Hands a v2 tree's controllers down to the children of `parent`. */
function delegateControllers(tree: UnifiedTree, parent: string): void {
  for (const group of ["/", ...chain(parent)]) {
    const directory = join(tree.mountpoint, group);
    makeDirectory(directory);
    const list = (file: string) => readFileSync(join(directory, file), "latin1").split(/\s+/).filter(Boolean);
    const enabled = new Set(list("cgroup.subtree_control"));
    const missing = list("cgroup.controllers").filter((controller) => !enabled.has(controller));
    const wanted = missing.filter((controller) => limiting.includes(controller));
    // All in one write: single ones would turn a group that has processes into the root of a threaded
    // subtree, before the next of them is refused.
    if (wanted.length > 0) enable(directory, wanted);
    for (const controller of missing.filter((name) => !limiting.includes(name))) {
      try {
        enable(directory, [controller]);
      } catch {
        // Nothing of ours needs it.
      }
    }
  }
}

function enable(directory: string, controllers: readonly string[]): void {
  const value = controllers.map((name) => `+${name}`).join(" ");
  try {
    writeValues({ path: join(directory, "cgroup.subtree_control"), values: [value] });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : error;
    const what = `cannot enable ${controllers.length > 1 ? "controllers" : "controller"} ${controllers.join(", ")} in ${directory}`;
    throw system(
      errnoOf(cause) === "EBUSY"
        ? `${what}: the group has processes of its own; move them into a child group first`
        : `${what}: ${describe(cause)}`,
      error,
    );
  }
}

/**
 * Makes the group that containers' groups go into ("/berth"), where it is missing, ready for limits
 * below it. Costs one stat(2) once a parent is known. Returns what its children may use of v1 cpusets
 * when `resources` ask for some.
 */
export function prepareParent(
  host: CgroupHost,
  parent: string,
  resources: Resources = {},
): ParentLists | undefined {
  const { layout } = host;
  const tree = layout.mode === "v2" ? layout.unified : undefined;
  const witness = tree ?? hierarchyOf(layout, "memory") ?? layout.hierarchies[0];
  const known = prepared.get(host) ?? new Set();
  prepared.set(host, known);
  if (witness && !(known.has(parent) && existsSync(join(witness.mountpoint, parent)))) {
    if (tree) delegateControllers(tree, parent);
    else
      for (const hierarchy of layout.hierarchies)
        if (hierarchy.controllers.some((controller) => accountingControllers.includes(controller)))
          for (const step of chain(parent)) makeDirectory(join(hierarchy.mountpoint, step));
    known.add(parent);
  }
  if (tree) return undefined;
  if (
    resources.cpu?.shares ||
    resources.cpu?.quota ||
    resources.cpu?.period ||
    resources.cpu?.realtimePeriod ||
    resources.cpu?.realtimeRuntime
  )
    prepareHierarchy(host, "cpu", parent);
  if (resources.everywhere)
    for (const { mountpoint } of layout.hierarchies)
      for (const step of chain(parent)) makeDirectory(join(mountpoint, step));
  if (layout.unified && usesUnified(host, resources)) delegateControllers(layout.unified, parent);
  return resources.cpu?.cpus || resources.cpu?.mems || resources.everywhere
    ? prepareCpuset(host, parent)
    : undefined;
}

/** The parent in one more v1 hierarchy, for a controller that is only used on demand. */
export function prepareHierarchy(host: CgroupHost, controller: string, parent: string): void {
  const hierarchy = hierarchyOf(host.layout, controller);
  if (hierarchy) for (const step of chain(parent)) makeDirectory(join(hierarchy.mountpoint, step));
}
