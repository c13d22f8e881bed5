import { O_NOCTTY, O_RDWR, O_WRONLY, RESOLVE_IN_ROOT } from "../linux.ts";
import { Plan } from "../plan/plan.ts";
import type { ExecLaunch } from "../types.ts";
import { hostId } from "./context.ts";
import type { Machine, PlannedLaunch, SeccompProgram } from "./launch.ts";
import { joinFlags } from "./namespaces.ts";
import { become, enterProcess, finishProcess, scoreOom } from "./process.ts";
import { streamOptions } from "./shim-options.ts";

const ENOENT = 2;
const EBADF = 9;
const CLONE_NEWPID = 0x20000000;

/** The control groups of a running container: what a process of it joins. */
export interface JoinableGroups {
  /** v1 `tasks` files; one that does not exist is passed over. */
  joins: string[];
  /** The v2 directory. */
  cloneInto?: string;
}

/** The plan of a process more in a running container. `startTime` tells the container's PID from a later one. */
export function planExec(
  launch: ExecLaunch,
  machine: Machine,
  groups: JoinableGroups,
  seccomp: SeccompProgram,
): PlannedLaunch {
  const { spec, process, stdio } = launch;
  const plan = new Plan();
  const init = plan.slot("container-init");
  plan.group("namespaces");
  plan.add(
    "host",
    "pidfd_open",
    [init, launch.containerPid, launch.containerStartTime ?? 0],
    "the container's first process",
  );
  const flags = joinFlags(spec);
  if (flags & CLONE_NEWPID)
    plan.add("host", "setns", [init, CLONE_NEWPID], "the process is born in the PID namespace");
  plan.group("cgroup");
  const joins = groups.joins.map((path) => {
    const slot = plan.slot(path);
    plan.add("host", "openat", [slot, null, path, O_WRONLY, 0], "to join the group by", ENOENT);
    return slot;
  });
  const born = groups.cloneInto ? plan.slot(groups.cloneInto) : null;
  if (born && groups.cloneInto)
    plan.add("host", "openat", [born, null, groups.cloneInto, 0o10200000, 0], "the process is born in it");
  scoreOom(plan, process);
  for (const slot of joins) plan.add("child", "write", [slot, "0"], "join the group", EBADF);
  plan.group("namespaces");
  const others = flags & ~CLONE_NEWPID;
  if (others) plan.add("child", "setns", [init, others], "all of the container's namespaces at once");
  plan.group("user");
  plan.add("child", "setgroups", [""], "none of the daemon's groups");
  const mapped = spec.linux.namespaces.some(({ type }) => type === "user");
  if (mapped) {
    plan.add("child", "setresgid", [0, 0, 0], "the user namespace's root");
    plan.add("child", "setresuid", [0, 0, 0], "the user namespace's root");
  }
  let terminal = null;
  let console = null;
  if (stdio.tty) {
    const size = stdio.consoleSize ?? process.consoleSize;
    const root = plan.slot("root");
    [console, terminal] = [plan.slot("terminal-master"), plan.slot("terminal")];
    plan.group("terminal");
    plan.add("child", "openat", [root, null, "/", 0o10200000, 0], "the container's root");
    plan.add(
      "child",
      "openat2",
      [console, root, "/dev/ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_IN_ROOT],
      "a new terminal of the container's own devpts",
    );
    plan.add(
      "child",
      "open_terminal",
      [terminal, console, process.user.uid, -1, size?.height ?? 0, size?.width ?? 0],
      "the process's side",
    );
  }
  enterProcess(plan, process);
  finishProcess(plan, { process, seccomp, terminal, limits: machine.limits });
  become(plan, process, false);
  const { uidMappings, gidMappings } = spec.linux;
  return {
    plan,
    options: {
      ...streamOptions(launch, machine),
      log: { driver: "none", path: "", maxSize: 0, maxFile: 0 },
      owner: {
        uid: hostId(mapped ? uidMappings : undefined, process.user.uid),
        gid: hostId(mapped ? gidMappings : undefined, process.user.gid),
      },
      cloneFlags: 0,
      lateParent: false,
      cgroup: born,
      oom: null,
      console,
      hold: null,
    },
  };
}
