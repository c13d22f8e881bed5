import { constants } from "node:os";
import { BerthError, type ErrorCode } from "../lib/errors.ts";
import type { StepFailure } from "./launcher/launcher.ts";
import type { Argument } from "./plan/ops.ts";
import { type Plan, phases, type Step } from "./plan/plan.ts";

/** EWOULDBLOCK and EOPNOTSUPP are second names; the reverse order lets the usual ones win. */
const names = new Map(
  Object.entries(constants.errno)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);

/** Texts as Go's syscall package words them, which is what Docker's messages have. */
const texts: Record<string, string> = {
  E2BIG: "argument list too long",
  EACCES: "permission denied",
  EBUSY: "device or resource busy",
  EEXIST: "file exists",
  EINVAL: "invalid argument",
  EIO: "input/output error",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EMFILE: "too many open files",
  ENODEV: "no such device",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOMEM: "cannot allocate memory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ESRCH: "no such process",
  EXDEV: "invalid cross-device link",
};

export const errnoName = (errno: number): string => names.get(errno) ?? `errno ${errno}`;
export const errnoText = (errno: number): string => texts[errnoName(errno)] ?? errnoName(errno);

/**
 * A launch that failed: which step, with which errno. `exitCode` is what docker run exits with: 127
 * when the command is not found, 126 when it cannot be run, else 128.
 */
export class LaunchError extends BerthError {
  readonly phase: string;
  readonly step: Step | undefined;
  readonly errno: string;
  readonly exitCode: number;

  constructor(
    code: ErrorCode,
    message: string,
    detail: { phase: string; step?: Step; errno: number; exitCode: number },
  ) {
    super(code, message);
    this.name = "LaunchError";
    this.phase = detail.phase;
    this.step = detail.step;
    this.errno = errnoName(detail.errno);
    this.exitCode = detail.exitCode;
  }
}

function argument(value: Argument): string {
  if (value === null) return "AT_FDCWD";
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (typeof value === "object") return `{${value.name}}`;
  return value.toString();
}

/** A step as one line of text: the call and its arguments; {…} are descriptors by name. */
export function stepText(step: Step): string {
  return `${step.op}(${step.args.map(argument).join(", ")})`;
}

interface Described {
  code: ErrorCode;
  text: string;
  exitCode: number;
  /** dockerd finds this out itself, before it comes to its runtime: no preamble. */
  whole?: boolean;
  /** What dockerd adds to what its runtime says. */
  hint?: string;
}

/** A mount point that could not be made or mounted on; `next` follows the step in the plan. */
function describeMount(step: Step, errno: number, next: Step | undefined): Described | null {
  const move = step.op === "move_mount" ? step : next?.op === "move_mount" ? next : null;
  const [source, , target] = move?.args ?? [];
  if (typeof source !== "object" || typeof target !== "object") return null;
  if (source === null || target === null || !("name" in source && "name" in target)) return null;
  if (!target.name.startsWith("at ")) return null;
  // The kernel answers EINVAL where mount(2) answered ENOTDIR: one of the two is a directory, the other not.
  const mismatch = errnoName(errno) === "ENOTDIR" || (step === move && errnoName(errno) === "EINVAL");
  const why = mismatch ? "not a directory" : errnoText(errno);
  return {
    code: "SYSTEM",
    text: `error mounting ${JSON.stringify(source.name)} to rootfs at ${JSON.stringify(target.name.slice(3))}: ${why}`,
    exitCode: 128,
    ...(mismatch
      ? {
          hint: ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type",
        }
      : {}),
  };
}

function describeTarget(step: Step, errno: number, next: Step | undefined): Described | null {
  const mount = describeMount(step, errno, next);
  if (mount || step.op !== "make_target" || errnoName(errno) !== "ENOTDIR") return mount;
  const text = `Cannot mkdir: ${String(step.args[2])} is not a directory`;
  return { code: "SYSTEM", text, exitCode: 128, whole: true };
}

function describeExec(step: Step, errno: number): Described {
  const first = typeof step.args[0] === "string" ? (step.args[0].split("\0", 1)[0] ?? "") : "";
  const name = errnoName(errno);
  const prefix = `exec: ${JSON.stringify(first)}`;
  if (name === "ENOENT" && !first.includes("/"))
    return {
      code: "INVALID_PARAMETER",
      text: `${prefix}: executable file not found in $PATH`,
      exitCode: 127,
    };
  if (name === "ENOENT" || name === "ENOTDIR")
    return {
      code: "INVALID_PARAMETER",
      text: `${prefix}: stat ${first}: ${errnoText(errno)}`,
      exitCode: 127,
    };
  if (name === "ENOEXEC")
    return { code: "INVALID_PARAMETER", text: `exec ${first}: ${errnoText(errno)}`, exitCode: 126 };
  return { code: "INVALID_PARAMETER", text: `${prefix}: ${errnoText(errno)}`, exitCode: 126 };
}

function describeStep(step: Step, errno: number, next: Step | undefined): Described {
  if (step.op === "execve" || step.op === "exec_init") return describeExec(step, errno);
  if (step.op === "chdir") {
    const outside =
      errnoName(errno) === "EXDEV"
        ? "current working directory is outside of container mount namespace root -- possible container breakout detected"
        : errnoText(errno);
    return {
      code: "INVALID_PARAMETER",
      text: `chdir to cwd (${argument(step.args[0] ?? "")}) set in config.json failed: ${outside}`,
      exitCode: 126,
    };
  }
  if (step.op === "bind_tree" && errnoName(errno) === "ENOENT")
    return {
      code: "INVALID_PARAMETER",
      text: `invalid mount config for type "bind": bind source path does not exist: ${String(step.args[2])}`,
      exitCode: 125,
    };
  if (step.op === "make_target" || step.op === "move_mount") {
    const described = describeTarget(step, errno, next);
    if (described) return described;
  }
  if (step.op === "write_file") {
    const [directory, path, value] = step.args;
    if (path === "oom_score_adj")
      return {
        code: "SYSTEM",
        // Not the kernel's "permission denied": docker run takes that for a command that may not run.
        text: `failed to set oom_score_adj to ${String(value)}: lowering it needs CAP_SYS_RESOURCE`,
        exitCode: 128,
      };
    const file = directory === null ? String(path) : `${argument(directory ?? null)}/${path}`;
    const text = `failed to write ${JSON.stringify(String(value))}: write ${file}: ${errnoText(errno)}`;
    return { code: "SYSTEM", text, exitCode: 128 };
  }
  const why = step.why ? ` (${step.why})` : "";
  return { code: "SYSTEM", text: `${stepText(step)}: ${errnoText(errno)}${why}`, exitCode: 128 };
}

/** The error for a failure that the launcher reported while it did `verb`. */
export function launchError(plan: Plan, failure: StepFailure, verb: "create" | "exec" | "run"): LaunchError {
  const phase = phases[failure.phase] ?? "host";
  const step = failure.step >= 0 ? plan.steps[phase][failure.step] : undefined;
  const described = step
    ? describeStep(step, failure.errno, plan.steps[phase][failure.step + 1])
    : { code: "SYSTEM" as const, text: `${failure.text}: ${errnoText(failure.errno)}`, exitCode: 128 };
  const unable = "unable to start container process";
  const message =
    verb === "run" || described.whole
      ? described.text
      : verb === "exec"
        ? `OCI runtime exec failed: exec failed: ${unable}: ${described.text}: unknown`
        : `failed to create task for container: failed to create shim task: OCI runtime create failed: ${unable}: ${described.text}: unknown${described.hint ?? ""}`;
  return new LaunchError(described.code, message, {
    phase,
    step,
    errno: failure.errno,
    exitCode: described.exitCode,
  });
}
