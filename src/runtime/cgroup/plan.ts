import type { Resources } from "../oci.ts";
import { type ParentLists, planV1 } from "./plan-v1.ts";
import { planV2 } from "./plan-v2.ts";
import type { CgroupHost } from "./support.ts";

/** A file to open once and write(2) each value to, in order. */
export interface FileWrite {
  path: string;
  values: string[];
  /** The file need not exist in every kernel; ENOENT is fine. */
  optional?: boolean;
}

/** How a container gets its control groups. */
export interface CgroupPlan {
  /** Made in this order before anything is written. Their parents exist after `prepareParent`. */
  dirs: string[];
  writes: FileWrite[];
  /**
   * v1: files opened by the launcher, to which the new process itself writes "0" before it enters a
   * cgroup namespace. A thread that moves only itself skips the kernel's threadgroup lock, which
   * otherwise costs up to an RCU grace period (14 ms).
   */
  joins: string[];
  /** v2: the directory for clone3(2) with CLONE_INTO_CGROUP. */
  cloneInto?: string;
  /** v2: a BPF_PROG_TYPE_CGROUP_DEVICE program to load and attach to the directory (BPF_CGROUP_DEVICE). */
  deviceFilter?: { dir: string; program: Buffer };
  /** A v2 directory and a program that lets its processes bind any port (BPF_CGROUP_INET4_BIND and 6). */
  lowPorts?: { dir: string; program: Buffer };
}

/**
 * The plan for a new container with group `path` ("/berth/<id>") under `resources`, which
 * `validateResources` has passed. Touches nothing. `parent` says what its parent may use (v1 cpuset).
 */
export function planCgroup(
  host: CgroupHost,
  path: string,
  resources: Resources,
  parent?: ParentLists,
): CgroupPlan {
  return host.layout.mode === "v2"
    ? planV2(host, path, resources)
    : planV1(host, path, resources, parent ?? host.support);
}
