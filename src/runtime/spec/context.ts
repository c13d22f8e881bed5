import type { IdMapping, Spec } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Phase, Plan } from "../plan/plan.ts";

/** What the running kernel can do, found by trying at start. */
export interface KernelFeatures {
  /** Overlay on id-mapped layers (Linux 5.19): what the default user namespaces stand on. */
  idmappedOverlay: boolean;
  /** fsconfig(2) takes overlay layers one by one ("lowerdir+", Linux 6.7). */
  overlayLayerList: boolean;
}

/** A v1 hierarchy to show at /sys/fs/cgroup, or the v2 tree. */
export interface CgroupView {
  /** Its directory in /sys/fs/cgroup, where there are several. */
  name: string;
  /** Option of the cgroup file system: "memory", "cpu,cpuacct", "name=systemd"; empty for cgroup2. */
  option: string;
  /** The container's directory on the host. */
  dir: string;
}

/** The part of a control group's plan that becomes steps. */
export interface CgroupSteps {
  dirs: string[];
  writes: { path: string; values: string[]; optional?: boolean }[];
  joins: string[];
  cloneInto?: string;
  deviceFilter?: { dir: string; program: Buffer };
  lowPorts?: { dir: string; program: Buffer };
}

export interface Cgroups {
  plan: CgroupSteps;
  version: 1 | 2;
  views: CgroupView[];
  /** What tells of OOM kills: a v1 memory group's directory, or memory.events of v2. */
  oom?: { kind: "eventfd" | "events"; path: string };
}

/** What all parts of a plan's making share. */
export interface Context {
  plan: Plan;
  spec: Spec;
  features: KernelFeatures;
  cgroups: Cgroups | null;
  /** The container's ids on the host; null in the host's user namespace. */
  ids: { uid: IdMapping[]; gid: IdMapping[] } | null;
  /** The user namespace's descriptor from `idPhase` on; null in the host's. */
  userns: Slot | null;
  /** The phase in which the user namespace's descriptor exists. */
  idPhase: Phase;
  /** Any directory of the host to attach the data root's mount to, in the container's mount namespace. */
  stage: string;
  /** A directory of the host's tree, in the container's mount namespace: the private mount of the data root. */
  tree: Slot;
  /** A directory below `tree` that can hold a mount until the container enters its root. */
  staging: string;
  /** The root of the container's file system, attached, in the child phase. */
  root: Slot;
}

/** The host id of a container's id; the id itself without a mapping, -1 when it has none. */
export function hostId(mappings: readonly IdMapping[] | undefined, id: number): number {
  if (!mappings) return id;
  const mapping = mappings.find((m) => id >= m.containerID && id < m.containerID + m.size);
  return mapping ? mapping.hostID + id - mapping.containerID : -1;
}
