import type { ShimOptions } from "../launcher/wire.ts";
import type { ResourceLimits } from "../limits.ts";
import {
  AT_EMPTY_PATH,
  CLONE_NEWNS,
  MOVE_MOUNT_F_EMPTY_PATH,
  O_NOCTTY,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
} from "../linux.ts";
import type { Slot } from "../plan/ops.ts";
import { Plan } from "../plan/plan.ts";
import type { ContainerLaunch } from "../types.ts";
import { joinCgroups, makeCgroups } from "./cgroups.ts";
import { type Cgroups, type Context, hostId, type KernelFeatures } from "./context.ts";
import { attachAt, makeFilesystems, mountAll, newFilesystem } from "./mounts.ts";
import { planNamespaces } from "./namespaces.ts";
import { planNetwork, planTaps } from "./network.ts";
import { become, enterProcess, finishProcess, type ProcessSetup, scoreOom } from "./process.ts";
import { enterRoot, mountRootfs, prepareDataRoot, protectRootfs, stagingPath } from "./rootfs.ts";
import { streamOptions } from "./shim-options.ts";

/** What a plan depends on beside the spec. */
export interface Machine {
  features: KernelFeatures;
  limits: ResourceLimits;
  /** Directory for the shims' directories. */
  shims: string;
  /** Seconds; see ShimOptions.stallSeconds. */
  stallSeconds: number;
}

/** A plan and how its shim is set up. */
export interface PlannedLaunch {
  plan: Plan;
  options: ShimOptions;
}

export type SeccompProgram = ProcessSetup["seccomp"];

/** The launch plan of a container: a pure function of its arguments, apart from stat(2) of bind sources. */
export function planContainer(
  launch: ContainerLaunch,
  machine: Machine,
  cgroups: Cgroups | null,
  seccomp: SeccompProgram,
): PlannedLaunch {
  const { spec, stdio } = launch;
  const plan = new Plan();
  const { linux, process } = spec;
  const namespaces = planNamespaces(plan, spec);
  const ownUser = linux.namespaces.some(({ type, path }) => type === "user" && path === undefined);
  const context: Context = {
    plan,
    spec,
    features: machine.features,
    cgroups,
    ids: namespaces.userns ? { uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] } : null,
    userns: namespaces.userns,
    idPhase: ownUser ? "parent" : "host",
    stage: machine.shims,
    tree: plan.slot("data-root"),
    staging: stagingPath(launch.rootfs),
    root: plan.slot("root"),
  };
  const groups = makeCgroups(context);
  plan.group("process");
  scoreOom(plan, process);
  const hold = holdMounts(plan, namespaces.cloneFlags);
  joinCgroups(context, groups.joins);
  prepareDataRoot(context, launch.rootfs);
  becomeRoot(context);
  // The kernel makes a procfs or sysfs only where one is in sight.
  const filesystems = makeFilesystems(context);
  // A visit to another's mounts returns to what lies on top of /, which has to be left until the end then.
  if (!spec.mounts.some(({ sourceNamespace }) => sourceNamespace))
    enterRoot(context, context.tree, "the data root becomes /: what waits holds none of the host's mounts");
  // Up to here a launch knows nothing of its image, its networks and the host's files.
  plan.divide();
  mountRootfs(context, launch.rootfs);
  mountAll(context, filesystems);
  const terminal = stdio.tty ? openTerminal(context, launch) : null;
  plan.group("process");
  makeWorkingDirectory(context);
  // Up to here it does not know its links, or where it has none, what runs.
  const linked = launch.network?.linked ?? false;
  if (linked) plan.divide();
  const taps = launch.taps ? planTaps(plan, launch.network, launch.taps) : [];
  if (!launch.taps) planNetwork(context, launch.network);
  protectPaths(context);
  protectRootfs(context);
  enterRoot(context, context.root, "the container's tree becomes /");
  nameHost(context);
  enterProcess(plan, process);
  finishProcess(plan, {
    process,
    seccomp,
    terminal: terminal?.slave ?? null,
    limits: machine.limits,
    kept: taps,
  });
  if (!linked) plan.divide();
  become(plan, process, launch.init);
  return {
    plan,
    options: {
      ...streamOptions(launch, machine),
      log: launch.log,
      owner: {
        uid: hostId(context.ids?.uid, process.user.uid),
        gid: hostId(context.ids?.gid, process.user.gid),
      },
      cloneFlags: namespaces.cloneFlags,
      lateParent: namespaces.lateParent,
      cgroup: groups.born,
      oom: groups.oom,
      console: terminal?.master ?? null,
      hold,
    },
  };
}

/** The shim keeps the mount namespace until after it told of the exit: unmounting does not delay that. */
export function holdMounts(plan: Plan, cloneFlags: number): Slot | null {
  if (!(cloneFlags & CLONE_NEWNS)) return null;
  const slot = plan.slot("mount-namespace");
  plan.group("mounts");
  plan.add(
    "parent",
    "openat",
    [slot, plan.process, "ns/mnt", O_RDONLY, 0],
    "kept by the shim: unmounting must not delay the exit status",
  );
  return slot;
}

export function becomeRoot({ plan, userns }: Context): void {
  plan.group("user");
  plan.add("child", "setgroups", [""], "none of the daemon's groups");
  if (!userns) return;
  plan.add("child", "setresgid", [0, 0, 0], "the user namespace's root");
  plan.add("child", "setresuid", [0, 0, 0], "the user namespace's root");
}

export function openTerminal(
  context: Context,
  { stdio }: Pick<ContainerLaunch, "stdio">,
): { master: Slot; slave: Slot } {
  const { plan, root, spec } = context;
  const [master, slave] = [plan.slot("terminal-master"), plan.slot("terminal")];
  const size = stdio.consoleSize ?? spec.process.consoleSize;
  plan.group("terminal");
  plan.add(
    "child",
    "openat2",
    [master, root, "/dev/ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_IN_ROOT],
    "a new terminal of the container's own devpts; the shim keeps this side",
  );
  plan.add(
    "child",
    "open_terminal",
    [slave, master, spec.process.user.uid, -1, size?.height ?? 0, size?.width ?? 0],
    "the process's side",
  );
  const console = plan.slot("console");
  plan.add("child", "open_tree", [console, slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH], "");
  attachAt(context, console, "/dev/console", false);
  return { master, slave };
}

export function makeWorkingDirectory({ plan, root, spec }: Context): void {
  const { cwd } = spec.process;
  if (cwd === "" || cwd === "/") return;
  plan.add(
    "child",
    "make_target",
    [plan.slot("cwd"), root, cwd, 1, 0o755],
    "the working directory, made when missing",
  );
}

export function protectPaths(context: Context): void {
  const { plan, root, spec } = context;
  const { maskedPaths = [], readonlyPaths = [], sysctl = {} } = spec.linux;
  plan.group("protection");
  for (const [name, value] of Object.entries(sysctl))
    plan.add("child", "write_sysctl", [root, sysctlPath(name), value], name);
  for (const path of readonlyPaths)
    plan.add("child", "readonly_path", [root, path], "may be read but not changed");
  if (maskedPaths.length === 0) return;
  const null_ = plan.slot("null");
  plan.add("child", "openat2", [null_, root, "/dev/null", O_PATH, 0, RESOLVE_IN_ROOT], "covers files");
  const empty = newFilesystem(context, "child", "tmpfs", {
    source: "tmpfs",
    data: ["nr_inodes=1"],
    attributes: 0x1,
    why: "an empty directory that covers directories",
  });
  // A clone can only be made of an attached mount, so the empty directory is staged on the host's tree.
  plan.add(
    "child",
    "move_mount",
    [empty, "", context.tree, context.staging, MOVE_MOUNT_F_EMPTY_PATH],
    "staged; it goes with the host's tree",
  );
  for (const path of maskedPaths)
    plan.add("child", "mask_path", [root, path, null_, empty], "tells about the host");
}

/** "net.ipv4.ip_forward" or "net/ipv4/conf/eth0.1/forwarding" as a path below /proc/sys. */
function sysctlPath(name: string): string {
  const [dot, slash] = [name.indexOf("."), name.indexOf("/")];
  if (slash >= 0 && (dot < 0 || slash < dot)) return name;
  return name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}

export function nameHost({ plan, spec }: Context): void {
  const own = spec.linux.namespaces.some(({ type, path }) => type === "uts" && path === undefined);
  plan.group("hostname");
  if (own && spec.hostname !== undefined) plan.add("child", "sethostname", [spec.hostname], "");
  if (own && spec.domainname) plan.add("child", "setdomainname", [spec.domainname], "");
}
