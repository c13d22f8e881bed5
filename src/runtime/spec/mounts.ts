import { posix } from "node:path";
import { FSCONFIG_CMD_CREATE, FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING } from "../linux.ts";
import type { Mount, NamespaceType } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Phase } from "../plan/plan.ts";
import { bindMount } from "./binds.ts";
import { makeCgroupViews } from "./cgroups.ts";
import type { Context } from "./context.ts";
import { makeDev } from "./devices.ts";
import { layersMount } from "./images.ts";
import { type MountOptions, parseOptions } from "./options.ts";
import { attachHere } from "./rootfs.ts";

/** Makes a file system in the given phase, detached; its root is the returned slot. */
export function newFilesystem(
  context: Context,
  phase: Phase,
  type: string,
  mount: { source?: string; data: string[]; attributes: number; why: string },
): Slot {
  const { plan } = context;
  const fs = plan.slot(`fs-${type}`);
  const root = plan.slot(type);
  plan.add(phase, "fsopen", [fs, type, 0], mount.why);
  if (mount.source)
    plan.add(phase, "fsconfig", [fs, FSCONFIG_SET_STRING, "source", mount.source, 0], "name in mount tables");
  for (const option of mount.data) {
    const equals = option.indexOf("=");
    if (equals < 0) plan.add(phase, "fsconfig", [fs, FSCONFIG_SET_FLAG, option, "", 0], "option");
    else {
      const [key, value] = [option.slice(0, equals), option.slice(equals + 1)];
      plan.add(phase, "fsconfig", [fs, FSCONFIG_SET_STRING, key, value, 0], "option");
    }
  }
  plan.add(phase, "fsconfig", [fs, FSCONFIG_CMD_CREATE, "", "", 0], "make it");
  plan.add(phase, "fsmount", [root, fs, 0, mount.attributes], "mount it, attached nowhere yet");
  return root;
}

/** Attaches a detached mount at a path inside the container's root, which is made when it is missing. */
export function attachAt(context: Context, mount: Slot, destination: string, directory = true): void {
  const { plan, root } = context;
  const target = plan.slot(`at ${destination}`);
  plan.add(
    "child",
    "make_target",
    [target, root, destination, directory ? 1 : 0, directory ? 0o755 : 0o644],
    "the mount point, looked up inside the root only",
  );
  plan.add("child", "move_mount", [mount, "", target, "", attachHere], `appears at ${destination}`);
}

/** The namespace that a file system shows, where it can only be made by that namespace's owner. */
const shows: Partial<Record<string, NamespaceType>> = { proc: "pid", sysfs: "network", mqueue: "ipc" };

/**
 * Where a file system is made: in the container, or, when it shows a namespace of the host and the
 * container has a user namespace, by the host for it.
 */
function makerOf({ spec, ids }: Context, type: string): Phase {
  const shown = shows[type];
  if (ids === null || shown === undefined) return "child";
  const { namespaces } = spec.linux;
  const joinsUser = namespaces.some((namespace) => namespace.type === "user" && namespace.path !== undefined);
  const namespace = namespaces.find((candidate) => candidate.type === shown);
  return namespace && (namespace.path === undefined || joinsUser) ? "child" : "host";
}

/** Attaches a file system that was made before. */
type Attach = () => void;

/** Makes the file systems of a container's own; what attaches each of them. */
export function makeFilesystems(context: Context): Map<Mount, Attach> {
  const made = new Map<Mount, Attach>();
  for (const mount of context.spec.mounts) {
    context.plan.group(groupOf(mount));
    const options = parseOptions(mount.options);
    if (!mount.layers && !isBind(mount, options)) made.set(mount, makeOne(context, mount, options));
  }
  return made;
}

const isBind = (mount: Mount, options: MountOptions): boolean =>
  options.bind !== "none" || mount.type === "bind";
const groupOf = ({ type }: Mount): string => (type === "sysfs" ? "network" : "mounts");

function makeOne(context: Context, mount: Mount, options: MountOptions): Attach {
  if (mount.destination === "/dev" && mount.type === "tmpfs") {
    const dev = makeDev(context, mount, options);
    return () => attachAt(context, dev, "/dev");
  }
  if (mount.type === "cgroup" || mount.type === "cgroup2") return makeCgroupViews(context, mount, options);
  const type = mount.type ?? "tmpfs";
  const slot = newFilesystem(context, makerOf(context, type), type, {
    source: mount.source,
    data: options.data,
    attributes: options.set,
    why: reasons[type] ?? `a ${type} of its own`,
  });
  return () => attachAt(context, slot, posix.normalize(mount.destination));
}

const reasons: Record<string, string> = {
  proc: "shows the processes of its PID namespace",
  sysfs: "shows the devices of its network namespace",
  devpts: "terminals of its own",
  mqueue: "message queues of its IPC namespace",
  tmpfs: "files in memory, gone with the container",
};

/** All mounts of the spec, in its order. */
export function mountAll(context: Context, made: ReadonlyMap<Mount, Attach>): void {
  for (const mount of context.spec.mounts) {
    context.plan.group(groupOf(mount));
    const attach = made.get(mount);
    if (attach) attach();
    else if (mount.layers) layersMount(context, mount, mount.layers);
    else bindMount(context, mount, parseOptions(mount.options));
  }
}
