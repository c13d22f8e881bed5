import {
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  O_DIRECTORY,
  O_PATH,
} from "../linux.ts";
import { Plan } from "../plan/plan.ts";
import type { GuestLaunch } from "../types.ts";
import { joinCgroups, makeCgroups } from "./cgroups.ts";
import type { Cgroups, Context } from "./context.ts";
import {
  becomeRoot,
  type Machine,
  makeWorkingDirectory,
  nameHost,
  openTerminal,
  type PlannedLaunch,
  protectPaths,
  type SeccompProgram,
} from "./launch.ts";
import { makeFilesystems, mountAll } from "./mounts.ts";
import { planNamespaces } from "./namespaces.ts";
import { become, enterProcess, finishProcess, scoreOom } from "./process.ts";
import { enterRoot } from "./rootfs.ts";

/** Directories of every guest for mounts that are not where they belong yet. */
const stage = { root: "/stage/root", empty: "stage/empty" };
const NETLINK_ROUTE = 0;

/** The launch plan of a container's process in its virtual machine: the same, from a root that the host shares. */
export function planGuest(
  launch: GuestLaunch,
  machine: Machine,
  cgroups: Cgroups,
  seccomp: SeccompProgram,
): PlannedLaunch {
  const { spec, stdio } = launch;
  const plan = new Plan();
  const namespaces = planNamespaces(plan, spec);
  const context: Context = {
    plan,
    spec,
    features: machine.features,
    cgroups,
    ids: null,
    userns: null,
    idPhase: "host",
    stage: stage.root,
    tree: plan.slot("guest"),
    staging: stage.empty,
    root: plan.slot("root"),
  };
  const groups = makeCgroups(context);
  plan.group("process");
  scoreOom(plan, spec.process);
  joinCgroups(context, groups.joins);
  becomeRoot(context);
  plan.group("network");
  for (const { message, why } of launch.links)
    plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], why);
  mountShared(context, launch.rootTag);
  mountAll(context, makeFilesystems(context));
  const terminal = stdio.tty ? openTerminal(context, launch) : null;
  plan.group("process");
  makeWorkingDirectory(context);
  protectPaths(context);
  enterRoot(context, context.root, "the container's tree becomes /");
  nameHost(context);
  enterProcess(plan, spec.process);
  finishProcess(plan, {
    process: spec.process,
    seccomp,
    terminal: terminal?.slave ?? null,
    limits: machine.limits,
  });
  become(plan, spec.process, launch.init);
  const { uid, gid } = spec.process.user;
  return {
    plan,
    options: {
      id: launch.id,
      dir: `${machine.shims}/${launch.id}`,
      tty: stdio.tty,
      stdin: stdio.stdin,
      stdinOnce: false,
      // The port of the standard streams.
      waitForAttach: 1,
      stallSeconds: machine.stallSeconds,
      log: { driver: "none", path: "", maxSize: 0, maxFile: 0 },
      owner: { uid, gid },
      cloneFlags: namespaces.cloneFlags,
      lateParent: namespaces.lateParent,
      cgroup: groups.born,
      oom: groups.oom,
      console: terminal?.master ?? null,
      // What it had mounted, in memory maybe, is to go with the process.
      hold: null,
    },
  };
}

/** Mounts the container's root as `context.root`, on a directory of the guest's own tree. */
function mountShared({ plan, root, tree }: Context, tag: string): void {
  plan.group("root file system");
  plan.add("child", "mount_setattr", [null, "/", AT_RECURSIVE, 0, 0, MS_PRIVATE, null], "");
  plan.add("child", "openat", [tree, null, "/", O_PATH | O_DIRECTORY, 0], "the guest's own root");
  const fs = plan.slot("virtiofs");
  plan.add("child", "fsopen", [fs, "virtiofs", 0], "the container's root, which the host shares");
  plan.add("child", "fsconfig", [fs, FSCONFIG_SET_STRING, "source", tag, 0], "");
  plan.add("child", "fsconfig", [fs, FSCONFIG_CMD_CREATE, "", "", 0], "connect");
  plan.add("child", "fsmount", [root, fs, 0, 0], "");
  plan.add("child", "move_mount", [root, "", null, stage.root, MOVE_MOUNT_F_EMPTY_PATH], "attach it");
}
