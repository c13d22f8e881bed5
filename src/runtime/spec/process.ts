import { capabilityMask } from "../capabilities.ts";
import { chooseLimit, type ResourceLimits } from "../limits.ts";
import { PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS } from "../linux.ts";
import type { Capabilities, Process } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import { anyErrno, type Plan } from "../plan/plan.ts";

function groups(ids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(ids.length * 4);
  ids.forEach((id, index) => {
    bytes.writeUInt32LE(id, index * 4);
  });
  return bytes;
}

const zeroTerminated = (strings: readonly string[]): string => {
  for (const text of strings) if (text.includes("\0")) throw new RangeError("a zero byte in an argument");
  return strings.length > 0 ? `${strings.join("\0")}\0` : "";
};

export interface ProcessSetup {
  process: Process;
  /** The compiled seccomp filter and its flags; null for none. */
  seccomp: { program: Uint8Array; flags: number } | null;
  /** The slave side of the terminal. */
  terminal: Slot | null;
  limits: ResourceLimits;
  /** Descriptors that stay open, as 3 and on. */
  kept?: readonly Slot[];
}

/** Where a process is when it begins. */
export function enterProcess(plan: Plan, { cwd }: Process): void {
  plan.group("process");
  plan.add("child", "keyctl_join", [""], "a session keyring of its own", anyErrno);
  plan.add("child", "chdir", [cwd || "/"], "the working directory, which must lie inside the root");
}

/**
 * The last steps of every process before exec, container or exec: streams, limits, identity, capabilities,
 * filter. In the order that lets each step still have the rights it needs.
 */
export function finishProcess(plan: Plan, setup: ProcessSetup): void {
  const { process, terminal } = setup;
  const child = plan.add.bind(plan, "child");
  plan.group("process");
  child("stdio", [terminal], "standard streams, and a descriptor table of its own");
  child("umask", [process.user.umask ?? 0o022], "file mode creation mask");
  setLimits(plan, setup);
  plan.group("privileges");
  if (process.noNewPrivileges)
    child("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], "no exec gives more than this process has");
  else filter(plan, setup, "while the right to filter is still there");
  dropPrivileges(plan, process);
  if (process.noNewPrivileges) filter(plan, setup, "as late as possible");
  if (setup.kept?.length)
    child("keep", [Buffer.from(setup.kept.map(({ index }) => index))], "its descriptors 3 and on");
}

/** The end of the plan. */
export function become(plan: Plan, process: Process, init: boolean): void {
  plan.group("process");
  const [args, env] = [zeroTerminated(process.args), zeroTerminated(process.env)];
  plan.add("child", init ? "exec_init" : "execve", [args, env], "become the container's program");
}

/** The last steps of a sandbox for a virtual machine, whose process is the launcher's own supervisor. */
export function superviseMachine(
  plan: Plan,
  setup: Omit<ProcessSetup, "terminal"> & { kept: readonly Slot[] },
): void {
  const { process, kept } = setup;
  const child = plan.add.bind(plan, "child");
  child("keyctl_join", [""], "a session keyring of its own", anyErrno);
  child("chdir", ["/"], "");
  child("stdio", [null], "standard streams, and a descriptor table of its own");
  child("umask", [0o077], "file mode creation mask");
  setLimits(plan, { ...setup, terminal: null });
  plan.group("privileges");
  filter(plan, { ...setup, terminal: null }, "while the right to filter is still there");
  dropPrivileges(plan, process);
  plan.group("virtual machine");
  child("keep", [Buffer.from(kept.map(({ index }) => index))], "descriptors 3 and on of the supervisor");
  child("exec_vmm", [zeroTerminated(process.args)], "become the machine's supervisor");
}

/** Always written: the launcher and its shims protect themselves, which is not to be inherited. */
export function scoreOom(plan: Plan, process: Process): void {
  const score = `${process.oomScoreAdj ?? 0}`;
  plan.add("parent", "write_file", [plan.process, "oom_score_adj", score], "whom the kernel kills first");
}

function filter(plan: Plan, { seccomp }: ProcessSetup, why: string): void {
  if (seccomp) plan.add("child", "seccomp", [seccomp.flags, seccomp.program], `filter system calls, ${why}`);
}

function setLimits(plan: Plan, { process, limits }: ProcessSetup): void {
  for (const wish of process.rlimits ?? []) {
    const { resource, soft, hard, raises } = chooseLimit(wish, limits);
    // Lowered late and by the process itself, so that few descriptors do not stop its own set-up.
    plan.add(raises ? "parent" : "child", "prlimit", [resource, soft, hard], wish.type);
  }
}

function dropPrivileges(plan: Plan, process: Process): void {
  const child = plan.add.bind(plan, "child");
  const { uid, gid, additionalGids = [] } = process.user;
  const none: Capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  const wanted = process.capabilities ?? none;
  const mask = (names: readonly string[]) => capabilityMask(names);
  child("capbset_drop", [mask(wanted.bounding)], "what no exec can bring back");
  child("prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0], "capabilities survive the change of user");
  child("setgroups", [groups(additionalGids)], "supplementary groups");
  child("setresgid", [gid, gid, gid], "group");
  child("setresuid", [uid, uid, uid], "user");
  child("prctl", [PR_SET_KEEPCAPS, 0, 0, 0, 0], "");
  child(
    "capset",
    [mask(wanted.effective), mask(wanted.permitted), mask(wanted.inheritable)],
    "the capabilities it is given",
  );
  if (wanted.ambient.length > 0)
    child(
      "cap_ambient_raise",
      [mask(wanted.ambient)],
      "capabilities that exec keeps without file attributes",
    );
}
