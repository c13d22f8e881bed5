import { basename, dirname, posix } from "node:path";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  O_RDONLY,
  S_IFREG,
} from "../linux.ts";
import type { Slot } from "../plan/ops.ts";
import { Plan } from "../plan/plan.ts";
import type { ContainerLaunch, Enclosure } from "../types.ts";
import { joinCgroups, makeCgroups } from "./cgroups.ts";
import { type Cgroups, type Context, hostId } from "./context.ts";
import { makeDev } from "./devices.ts";
import {
  becomeRoot,
  holdMounts,
  type Machine,
  makeWorkingDirectory,
  type PlannedLaunch,
  type SeccompProgram,
} from "./launch.ts";
import { makeFilesystems, mountAll, newFilesystem } from "./mounts.ts";
import { planNamespaces } from "./namespaces.ts";
import { planTaps } from "./network.ts";
import { parseOptions } from "./options.ts";
import { scoreOom, superviseMachine } from "./process.ts";
import { enterRoot, mountRootfs, prepareDataRoot, protectRootfs, stagingPath } from "./rootfs.ts";
import { streamOptions } from "./shim-options.ts";

const EEXIST = 17;
const O_WRONLY_CREAT_TRUNC = 0o1101;

/** Where the sandbox has the container's root. */
export const enclosedRootfs = "/rootfs";

/**
 * The launch plan of a sandbox whose process is a virtual machine's supervisor. It has the container's root
 * as a container has it, but not as its own root: beside it are the programs that make the machine.
 */
export function planEnclosure(
  launch: ContainerLaunch,
  enclosure: Enclosure,
  machine: Machine,
  cgroups: Cgroups | null,
  seccomp: SeccompProgram,
): PlannedLaunch {
  const { spec, stdio } = launch;
  const plan = new Plan();
  const { linux } = spec;
  const namespaces = planNamespaces(plan, spec);
  const context: Context = {
    plan,
    spec,
    features: machine.features,
    cgroups,
    ids: namespaces.userns ? { uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] } : null,
    userns: namespaces.userns,
    idPhase: "parent",
    stage: machine.shims,
    tree: plan.slot("data-root"),
    staging: stagingPath(launch.rootfs),
    root: plan.slot("root"),
  };
  const groups = makeCgroups(context);
  plan.group("process");
  scoreOom(plan, spec.process);
  const kept = [
    ...openOutlets(plan, enclosure),
    ...planTaps(plan, launch.network, enclosure.taps),
    ...openSaved(plan, enclosure),
  ];
  const hold = holdMounts(plan, namespaces.cloneFlags);
  joinCgroups(context, groups.joins);
  prepareDataRoot(context, launch.rootfs);
  becomeRoot(context);
  mountRootfs(context, launch.rootfs);
  mountAll(context, makeFilesystems(context));
  makeTargets(context, enclosure.mountPoints);
  makeWorkingDirectory(context);
  protectRootfs(context);
  enterRoot(context, furnish(context, enclosure), "the sandbox becomes /");
  plan.group("process");
  superviseMachine(plan, { process: spec.process, seccomp, kept, limits: machine.limits });
  const owner = { uid: hostId(context.ids?.uid, 0), gid: hostId(context.ids?.gid, 0) };
  return {
    plan,
    options: {
      ...streamOptions(launch, machine),
      // The guest makes the terminal; here its bytes only pass.
      tty: false,
      stdinOnce: stdio.stdinOnce && !stdio.tty,
      log: launch.log,
      owner,
      cloneFlags: namespaces.cloneFlags,
      lateParent: false,
      cgroup: groups.born,
      oom: groups.oom,
      console: null,
      hold,
    },
  };
}

/** What of the shim's directory the sandbox writes to or answers at; they become its descriptors 3 and on. */
function openOutlets(plan: Plan, { log, sockets }: Enclosure): Slot[] {
  plan.group("virtual machine");
  const file = plan.slot(log);
  plan.add(
    "host",
    "openat",
    [file, null, log, O_WRONLY_CREAT_TRUNC, 0o600],
    "what the machine's programs say",
  );
  const listeners = sockets.map((name) => {
    const slot = plan.slot(name);
    plan.add("host", "unix_listener", [slot, name], "in the shim's directory, for the daemon");
    return slot;
  });
  return [file, ...listeners];
}

function openSaved(plan: Plan, { saved }: Enclosure): Slot[] {
  return saved.map((file) => {
    const slot = plan.slot(file);
    plan.add("host", "openat", [slot, null, file, O_RDONLY, 0], "what the machine goes on from");
    return slot;
  });
}

/** Mount points that the guest needs and may not be able to make, in a read-only root. */
function makeTargets({ plan, root }: Context, paths: readonly string[]): void {
  plan.group("mounts");
  for (const path of paths)
    plan.add(
      "child",
      "make_target",
      [plan.slot(`at ${path}`), root, path, 1, 0o755],
      "for a mount of the guest's",
    );
}

/** The sandbox's own root: the tools, a few devices, and the container's root below `enclosedRootfs`. */
function furnish(context: Context, { tools, links }: Enclosure): Slot {
  const { plan, idPhase } = context;
  plan.group("virtual machine");
  const sandbox = newFilesystem(context, "child", "tmpfs", {
    source: "tmpfs",
    data: ["mode=755", "size=1m"],
    attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    why: "the sandbox's root",
  });
  plan.add(
    "child",
    "move_mount",
    [sandbox, "", context.tree, context.staging, MOVE_MOUNT_F_EMPTY_PATH],
    "staged",
  );
  const directory = (path: string): void => {
    if (path === "/" || path === ".") return;
    directory(dirname(path));
    plan.add("child", "mkdirat", [sandbox, posix.relative("/", path), 0o755], "", EEXIST);
  };
  const place = (tree: Slot, path: string): void => {
    plan.add(
      "child",
      "move_mount",
      [tree, "", sandbox, posix.relative("/", path), MOVE_MOUNT_F_EMPTY_PATH],
      `appears at ${path}`,
    );
  };
  for (const path of [enclosedRootfs, "/dev", "/proc", "/run", "/tmp"]) directory(path);
  place(context.root, enclosedRootfs);
  const options = parseOptions(["nosuid", "noexec", "mode=755", "size=64k"]);
  place(makeDev(context, { destination: "/dev", type: "tmpfs", source: "tmpfs" }, options), "/dev");
  plan.group("virtual machine");
  place(
    newFilesystem(context, "child", "proc", {
      source: "proc",
      data: [],
      attributes: MOUNT_ATTR_NOSUID,
      why: "",
    }),
    "/proc",
  );
  for (const { source, path, directory: isDirectory } of tools) {
    const tree = plan.slot(source);
    plan.add(idPhase, "bind_tree", [tree, null, source, AT_RECURSIVE, null], `${source} of the host`);
    const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    plan.add(
      idPhase,
      "mount_setattr",
      [tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes, 0, MS_PRIVATE, null],
      "read-only",
    );
    if (isDirectory) directory(path);
    else {
      directory(dirname(path));
      plan.add("child", "mknodat", [sandbox, posix.relative("/", path), S_IFREG | 0o444, 0], basename(path));
    }
    place(tree, path);
  }
  for (const { target, path } of links)
    plan.add("child", "symlinkat", [target, sandbox, posix.relative("/", path)], "");
  return sandbox;
}
