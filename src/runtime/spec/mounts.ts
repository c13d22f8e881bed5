import { posix } from "node:path";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  MOUNT_ATTR_RDONLY,
} from "../linux.ts";
import type { Mount } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Phase } from "../plan/plan.ts";
import { bindMount } from "./binds.ts";
import { mountCgroups } from "./cgroups.ts";
import type { Context } from "./context.ts";
import { makeDev } from "./devices.ts";
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

/** Whether sysfs can be made: only by the owner of the network namespace it shows. */
function ownsNetwork({ spec, ids }: Context): boolean {
  const network = spec.linux.namespaces.find((namespace) => namespace.type === "network");
  return ids === null || (network !== undefined && (network.path === undefined || joinsUser(spec)));
}

const joinsUser = (spec: Context["spec"]): boolean =>
  spec.linux.namespaces.some((namespace) => namespace.type === "user" && namespace.path !== undefined);

function bindHost(context: Context, source: string, options: MountOptions): Slot {
  const { plan } = context;
  const tree = plan.slot(source);
  plan.add("child", "bind_tree", [tree, null, source, AT_RECURSIVE, null], `the host's ${source}`);
  plan.add(
    "child",
    "mount_setattr",
    [tree, "", AT_EMPTY_PATH | AT_RECURSIVE, options.set | MOUNT_ATTR_RDONLY, 0, 0, null],
    "read-only",
  );
  return tree;
}

function mountOne(context: Context, mount: Mount): void {
  const options = parseOptions(mount.options);
  const group = mount.type === "sysfs" ? "network" : "mounts";
  context.plan.group(group);
  if (options.bind !== "none" || mount.type === "bind") {
    bindMount(context, mount, options);
    return;
  }
  if (mount.destination === "/dev" && mount.type === "tmpfs") {
    attachAt(context, makeDev(context, mount, options), "/dev");
    return;
  }
  if (mount.type === "cgroup" || mount.type === "cgroup2") {
    mountCgroups(context, mount, options);
    return;
  }
  const type = mount.type ?? "tmpfs";
  const slot =
    type === "sysfs" && !ownsNetwork(context)
      ? bindHost(context, "/sys", options)
      : newFilesystem(context, "child", type, {
          source: mount.source,
          data: options.data,
          attributes: options.set,
          why: reasons[type] ?? `a ${type} of its own`,
        });
  attachAt(context, slot, posix.normalize(mount.destination));
}

const reasons: Record<string, string> = {
  proc: "shows the processes of its own PID namespace",
  sysfs: "shows the devices of its own network namespace",
  devpts: "terminals of its own",
  mqueue: "message queues of its own IPC namespace",
  tmpfs: "files in memory, gone with the container",
};

/** All mounts of the spec, in its order. */
export function mountAll(context: Context): void {
  for (const mount of context.spec.mounts) mountOne(context, mount);
}
