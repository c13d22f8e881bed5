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

function describeStep(step: Step, errno: number): Described {
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
  if (step.op === "write_file") {
    const [directory, path, value] = step.args;
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
    ? describeStep(step, failure.errno)
    : { code: "SYSTEM" as const, text: `${failure.text}: ${errnoText(failure.errno)}`, exitCode: 128 };
  const unable = "unable to start container process";
  const message =
    verb === "run"
      ? described.text
      : verb === "exec"
        ? `OCI runtime exec failed: exec failed: ${unable}: ${described.text}: unknown`
        : `failed to create task for container: failed to create shim task: OCI runtime create failed: ${unable}: ${described.text}: unknown`;
  return new LaunchError(described.code, message, {
    phase,
    step,
    errno: failure.errno,
    exitCode: described.exitCode,
  });
}
