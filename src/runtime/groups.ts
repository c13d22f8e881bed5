import { dirname, join, posix } from "node:path";
import { oomSource } from "./cgroup/oom.ts";
import { type CgroupPlan, planCgroup } from "./cgroup/plan.ts";
import { prepareParent } from "./cgroup/prepare.ts";
import { joinsOf } from "./cgroup/processes.ts";
import type { CgroupHost } from "./cgroup/support.ts";
import type { Resources, Spec } from "./oci.ts";
import type { Cgroups, CgroupView } from "./spec/context.ts";
import type { JoinableGroups } from "./spec/exec.ts";

function views(
  { layout: { mode, hierarchies, unified } }: CgroupHost,
  path: string,
  dirs: readonly string[],
  everywhere = false,
): CgroupView[] {
  const v2 = unified ? [{ name: "unified", option: "", dir: join(unified.mountpoint, path) }] : [];
  if (mode === "v2") return v2;
  const v1 = hierarchies.map(({ name, controllers, mountpoint }) => ({
    name: name ?? controllers.join(","),
    option: name ? `name=${name}` : controllers.join(","),
    dir: join(mountpoint, path),
  }));
  // Only where the container has a group of its own: elsewhere it would see the host's.
  return [...v1, ...(everywhere ? v2 : [])].filter(({ dir }) => dirs.includes(dir));
}

/** The control groups of a spec with `cgroupsPath`, whose parent is made ready unless `dry`; null without. */
export function groupsFor(host: CgroupHost, spec: Spec, dry = false): Cgroups | null {
  const path = spec.linux.cgroupsPath;
  if (path === undefined) return null;
  const resources = spec.linux.resources ?? {};
  const lists = dry ? undefined : prepareParent(host, posix.dirname(path), resources);
  return groupsAt(host, path, planCgroup(host, path, resources, lists), resources);
}

/** As `groupsFor` on a machine whose parent groups are ready. */
export function groupsOf(host: CgroupHost, spec: Spec): Cgroups {
  const path = spec.linux.cgroupsPath ?? "/";
  const resources = spec.linux.resources ?? {};
  return groupsAt(host, path, planCgroup(host, path, resources), resources);
}

function groupsAt(host: CgroupHost, path: string, plan: CgroupPlan, { everywhere }: Resources): Cgroups {
  const cgroups: Cgroups = {
    plan,
    version: host.layout.mode === "v2" ? 2 : 1,
    views: views(host, path, plan.dirs, everywhere),
  };
  const source = oomSource(host, path);
  if (source?.kind === "eventfd") cgroups.oom = { kind: "eventfd", path: dirname(source.control) };
  else if (source) cgroups.oom = { kind: "events", path: source.file };
  return cgroups;
}

/** What a further process of a container joins; null where its first process is none of this machine. */
export function joinableGroups(host: CgroupHost, spec: Spec, firstPid: number | null): JoinableGroups {
  const path = spec.linux.cgroupsPath;
  return path === undefined ? { joins: [] } : joinsOf(host, path, firstPid);
}
