import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  O_RDONLY,
} from "../linux.ts";
import type { IdMapping, NamespaceType, Spec } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Plan } from "../plan/plan.ts";

/** CLONE_NEW* of a namespace type; "time" is not supported. */
const cloneFlags: Record<Exclude<NamespaceType, "time">, number> = {
  mount: CLONE_NEWNS,
  cgroup: CLONE_NEWCGROUP,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
};

const flagOf = (type: NamespaceType): number => (type === "time" ? 0 : cloneFlags[type]);

/** How a process gets its namespaces. */
export interface NamespacePlan {
  /** For the clone3(2) that makes the process. */
  cloneFlags: number;
  /** The user namespace, to map mounts by. */
  userns: Slot | null;
  /** The parent phase runs late: when the child asks for it. */
  lateParent: boolean;
}

function mapText(mappings: readonly IdMapping[]): string {
  return mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join("");
}

/**
 * Plans making and joining namespaces. Everything new is made by one clone3(2). An existing user
 * namespace has to be joined first by the child, and what belongs to it is made inside, by a second
 * clone that takes the first one's place.
 */
export function planNamespaces(plan: Plan, spec: Spec): NamespacePlan {
  const { namespaces, uidMappings = [], gidMappings = [] } = spec.linux;
  const user = namespaces.find(({ type }) => type === "user");
  const joined = namespaces.filter(({ type, path }) => path !== undefined && type !== "user");
  const fresh = namespaces
    .filter(({ type, path }) => path === undefined && type !== "cgroup" && type !== "user")
    .reduce((flags, { type }) => flags | flagOf(type), 0);
  plan.group("namespaces");
  const open = (type: NamespaceType, path: string): Slot => {
    const slot = plan.slot(`${type}-namespace`);
    plan.add("host", "openat", [slot, null, path, O_RDONLY, 0], `the ${type} namespace to share`);
    return slot;
  };
  const slots = joined.map(({ type, path = "" }) => ({ type, slot: open(type, path) }));
  // A PID namespace is entered by being born in it.
  for (const { type, slot } of slots)
    if (type === "pid") plan.add("host", "setns", [slot, CLONE_NEWPID], "the process is born in it");
  const others = slots.filter(({ type }) => type !== "pid");

  if (user?.path !== undefined) {
    const userns = open("user", user.path);
    plan.add("child", "setns", [userns, CLONE_NEWUSER], "its owner's rights over the shared namespaces");
    for (const { type, slot } of others)
      plan.add("child", "setns", [slot, flagOf(type)], `share the ${type}`);
    if (fresh & CLONE_NEWPID)
      plan.add("child", "clone_parent", [fresh], "new namespaces that belong to the user namespace");
    else if (fresh) plan.add("child", "unshare", [fresh], "new namespaces that belong to the user namespace");
    // Only now the process has the namespaces that the host furnishes.
    plan.add("child", "await_parent", [fresh & CLONE_NEWPID ? 1 : 0], "the host's part, for what is new");
    return { cloneFlags: 0, userns, lateParent: true };
  }
  let userns: Slot | null = null;
  if (user) {
    plan.group("user");
    userns = plan.slot("user-namespace");
    const { process } = plan;
    plan.add(
      "parent",
      "write_file",
      [process, "uid_map", mapText(uidMappings)],
      "container uids on the host",
    );
    plan.add(
      "parent",
      "write_file",
      [process, "gid_map", mapText(gidMappings)],
      "container gids on the host",
    );
    plan.add("parent", "openat", [userns, process, "ns/user", O_RDONLY, 0], "to map mounts by");
    plan.group("namespaces");
  }
  for (const { type, slot } of others) plan.add("child", "setns", [slot, flagOf(type)], `share the ${type}`);
  return { cloneFlags: fresh | (user ? CLONE_NEWUSER : 0), userns, lateParent: false };
}

/** The flags for setns(2) with a pidfd that enter all namespaces the container does not share with the host. */
export function joinFlags(spec: Spec): number {
  return spec.linux.namespaces.reduce((flags, { type }) => flags | flagOf(type), 0);
}
