import {
  AT_EMPTY_PATH,
  BPF_CGROUP_DEVICE,
  BPF_CGROUP_INET4_BIND,
  BPF_CGROUP_INET6_BIND,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  CLONE_NEWCGROUP,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from "../linux.ts";
import type { Mount } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import { type CgroupView, type Context, hostId } from "./context.ts";
import { attachAt, newFilesystem } from "./mounts.ts";
import type { MountOptions } from "./options.ts";

const ENOENT = 2;
const EEXIST = 17;
const EINVAL = 22;
const deviceFilterType = [BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE] as const;

/** The group's directories, limits and files to join it by; what is needed of them later. */
export function makeCgroups(context: Context): {
  joins: Slot[];
  born: Slot | null;
  oom: { kind: "eventfd" | "events"; slot: Slot } | null;
} {
  const { plan, cgroups } = context;
  if (!cgroups) return { joins: [], born: null, oom: null };
  plan.group("cgroup");
  for (const dir of cgroups.plan.dirs)
    plan.add("host", "mkdirat", [null, dir, 0o755], "the container's control group", EEXIST);
  for (const { path, values, optional } of cgroups.plan.writes)
    for (const value of values)
      plan.add("host", "write_file", [null, path, value], "a limit", optional ? ENOENT : 0);
  if (cgroups.plan.deviceFilter) {
    const { dir, program } = cgroups.plan.deviceFilter;
    const slot = plan.slot(dir);
    plan.add("host", "openat", [slot, null, dir, O_RDONLY | O_DIRECTORY, 0], "");
    plan.add("host", "bpf_cgroup", [slot, program, ...deviceFilterType], "which devices may be opened");
  }
  if (cgroups.plan.lowPorts) allowLowPorts(context, cgroups.plan.lowPorts);
  if (mayDivide(context)) giveToContainer(context, cgroups.plan.dirs);
  const joins = cgroups.plan.joins.map((path) => {
    const slot = plan.slot(path);
    plan.add("host", "openat", [slot, null, path, O_WRONLY, 0], "to join the group by");
    return slot;
  });
  let born: Slot | null = null;
  if (cgroups.plan.cloneInto) {
    born = plan.slot(cgroups.plan.cloneInto);
    plan.add(
      "host",
      "openat",
      [born, null, cgroups.plan.cloneInto, O_PATH | O_DIRECTORY, 0],
      "the process is born in it",
    );
  }
  return { joins, born, oom: watchOom(context) };
}

/**
 * On the host's network CAP_NET_BIND_SERVICE of a user namespace counts for nothing, but a program of the
 * group may vouch for a bind(2). A kernel built without such programs keeps its low ports to itself.
 */
function allowLowPorts({ plan }: Context, { dir, program }: { dir: string; program: Uint8Array }): void {
  const slot = plan.slot(`group ${dir}`);
  plan.add("host", "openat", [slot, null, dir, O_RDONLY | O_DIRECTORY, 0], "");
  for (const type of [BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND])
    plan.add(
      "host",
      "bpf_cgroup",
      [slot, program, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, type],
      "ports below 1024 of the host's network may be bound",
      EINVAL,
    );
}

/** Whether the container has its groups mounted writable, in ids other than the host's. */
function mayDivide({ spec, ids }: Context): boolean {
  const mount = spec.mounts.find(({ type }) => type === "cgroup" || type === "cgroup2");
  return ids !== null && mount !== undefined && !mount.options?.includes("ro");
}

/** What the owner of a group needs to make groups in it and to spread its processes; not its limits. */
const dividing = ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control", "/tasks"];

function giveToContainer({ plan, spec }: Context, dirs: readonly string[]): void {
  const [uid, gid] = [hostId(spec.linux.uidMappings, 0), hostId(spec.linux.gidMappings, 0)];
  for (const dir of dirs)
    for (const file of dividing)
      plan.add("host", "fchownat", [null, `${dir}${file}`, uid, gid, 0], "it may divide its group", ENOENT);
}

function watchOom({ plan, cgroups }: Context): { kind: "eventfd" | "events"; slot: Slot } | null {
  if (!cgroups?.oom) return null;
  const { kind, path } = cgroups.oom;
  const slot = plan.slot("oom");
  if (kind === "events")
    plan.add("host", "openat", [slot, null, path, 0, 0], "changes when the kernel kills");
  else {
    const dir = plan.slot("memory-group");
    plan.add("host", "openat", [dir, null, path, O_PATH | O_DIRECTORY, 0], "");
    plan.add("host", "eventfd_oom", [slot, dir], "told when the kernel kills for want of memory");
  }
  return { kind, slot };
}

/** The process joins by itself: a thread that moves only itself waits for no other. */
export function joinCgroups(context: Context, joins: readonly Slot[]): void {
  const { plan, spec } = context;
  plan.group("cgroup");
  for (const slot of joins) plan.add("child", "write", [slot, "0"], "join the group");
  if (spec.linux.namespaces.some((namespace) => namespace.type === "cgroup" && !namespace.path))
    plan.add("child", "unshare", [CLONE_NEWCGROUP], "its own group is the root of the groups it sees");
}

/** /sys/fs/cgroup: the container's own groups. Answers what attaches them. */
export function makeCgroupViews(context: Context, mount: Mount, options: MountOptions): () => void {
  const { plan, cgroups, spec } = context;
  if (!cgroups) return () => undefined;
  plan.group("cgroup");
  const own = spec.linux.namespaces.some((namespace) => namespace.type === "cgroup");
  const make = (view: CgroupView): Slot => {
    if (own)
      return newFilesystem(context, "child", view.option ? "cgroup" : "cgroup2", {
        source: "cgroup",
        data: view.option ? view.option.split(",") : [],
        attributes: options.set,
        why: "the container's group as root",
      });
    const tree = plan.slot(view.dir);
    plan.add("host", "bind_tree", [tree, null, view.dir, 0, null], "the container's group");
    plan.add("host", "mount_setattr", [tree, "", AT_EMPTY_PATH, options.set, 0, 0, null], "");
    return tree;
  };
  const views = cgroups.views.map((view) => ({ name: view.name, slot: make(view) }));
  if (cgroups.version === 2)
    return () => {
      if (views[0]) attachAt(context, views[0].slot, mount.destination);
    };
  const top = newFilesystem(context, "child", "tmpfs", {
    source: "tmpfs",
    data: ["mode=755"],
    attributes: options.set & ~MOUNT_ATTR_RDONLY,
    why: "holds one directory for each hierarchy",
  });
  return () => {
    plan.group("cgroup");
    attachAt(context, top, mount.destination);
    for (const { name, slot } of views) {
      attachAt(context, slot, `${mount.destination}/${name}`);
      if (name.includes(","))
        for (const link of name.split(",")) plan.add("child", "symlinkat", [name, top, link], "");
    }
    if (options.set & MOUNT_ATTR_RDONLY)
      plan.add(
        "child",
        "mount_setattr",
        [top, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0, null],
        "read-only",
      );
  };
}
