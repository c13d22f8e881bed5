import { invalid } from "../lib/errors.ts";

/** What --security-opt asks for. */
export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** The container may divide its own control group. */
  writableCgroups: boolean;
  /** A profile's JSON text, "unconfined" or "builtin"; undefined for the default. */
  seccomp?: string;
}

const truth: Record<string, boolean> = {};
for (const word of ["1", "t", "T", "true", "TRUE", "True"]) truth[word] = true;
for (const word of ["0", "f", "F", "false", "FALSE", "False"]) truth[word] = false;

/** AppArmor and SELinux are the host's to enforce, and this engine leaves both off. */
const without = new Set(["apparmor", "label"]);

/** Reads a HostConfig's SecurityOpt; later options win. Throws with dockerd's texts. */
export function parseSecurityOptions(options: readonly string[] | null | undefined): SecurityOptions {
  const parsed: SecurityOptions = { noNewPrivileges: false, writableCgroups: false };
  for (const option of options ?? []) {
    if (option === "no-new-privileges") parsed.noNewPrivileges = true;
    if (option === "no-new-privileges" || option === "disable") continue;
    const separator = option.includes("=") ? "=" : ":";
    const at = option.indexOf(separator);
    if (at < 0) throw invalid(`invalid --security-opt 1: ${JSON.stringify(option)}`);
    const [name, value] = [option.slice(0, at), option.slice(at + 1)];
    if (name === "seccomp") parsed.seccomp = value;
    else if (name === "no-new-privileges" && truth[value] !== undefined)
      parsed.noNewPrivileges = truth[value];
    else if (name === "writable-cgroups" && truth[value] !== undefined) parsed.writableCgroups = truth[value];
    else if (!without.has(name)) throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
  }
  return parsed;
}
