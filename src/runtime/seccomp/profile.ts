import { release } from "node:os";
import { invalid } from "../../lib/errors.ts";
import type { Seccomp, SeccompRule } from "../oci.ts";
import { checkRule, isArchitecture } from "./words.ts";

/** When a rule counts: all that is given must hold. */
export interface ProfileFilter {
  /** Every one is in the container's bounding set. */
  caps?: string[];
  /** One is the machine's, in Go's names: amd64, arm64, s390x… */
  arches?: string[];
  /** "4.8": the kernel is at least this. */
  minKernel?: string;
}

export interface ProfileRule extends SeccompRule {
  /** Of old profiles, instead of `names`. */
  name?: string;
  comment?: string;
  includes?: ProfileFilter;
  excludes?: ProfileFilter;
}

/** Docker's profile format: the specification's, with conditions on rules and architectures by machine. */
export interface Profile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[];
  flags?: string[];
  syscalls?: ProfileRule[];
}

/** What conditions are judged by. */
export interface ProfileContext {
  /** The container's bounding set. */
  capabilities: readonly string[];
  /** Go's name of the machine's architecture. */
  arch: string;
  /** As uname -r has it. */
  kernel: string;
}

/** Node's names of architectures as Go, and so profiles, have them; and as libseccomp has them. */
const architectures: Record<string, { go: string; seccomp: string }> = {
  x64: { go: "amd64", seccomp: "SCMP_ARCH_X86_64" },
  arm64: { go: "arm64", seccomp: "SCMP_ARCH_AARCH64" },
  s390x: { go: "s390x", seccomp: "SCMP_ARCH_S390X" },
  ppc64: { go: "ppc64le", seccomp: "SCMP_ARCH_PPC64LE" },
  riscv64: { go: "riscv64", seccomp: "SCMP_ARCH_RISCV64" },
  loong64: { go: "loong64", seccomp: "SCMP_ARCH_LOONGARCH64" },
};

/** The conditions' ground on this machine for a container with the given bounding set. */
export const machineContext = (capabilities: readonly string[]): ProfileContext => ({
  capabilities,
  arch: architectures[process.arch]?.go ?? process.arch,
  kernel: release(),
});

const version = (text: string): [number, number] => {
  const [, kernel, major] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(kernel ?? 0), Number(major ?? 0)];
};

function kernelReaches(kernel: string, minimum: string): boolean {
  const [have, want] = [version(kernel), version(minimum)];
  return have[0] > want[0] || (have[0] === want[0] && have[1] >= want[1]);
}

function applies({ includes = {}, excludes = {} }: ProfileRule, context: ProfileContext): boolean {
  const has = (capability: string) => context.capabilities.includes(capability);
  if (excludes.arches?.includes(context.arch) || excludes.caps?.some(has)) return false;
  if (excludes.minKernel && kernelReaches(context.kernel, excludes.minKernel)) return false;
  if (includes.arches?.length && !includes.arches.includes(context.arch)) return false;
  if (!(includes.caps ?? []).every(has)) return false;
  return !includes.minKernel || kernelReaches(context.kernel, includes.minKernel);
}

/**
 * The specification's form of a profile for one container: conditions judged, architectures chosen.
 * Undefined for a profile that says nothing. Throws for contradictions and unknown words, with the
 * texts of dockerd and runc.
 */
export function resolveProfile(profile: Profile, context: ProfileContext): Seccomp | undefined {
  if (!profile.defaultAction && !profile.syscalls?.length) return undefined;
  if (profile.architectures?.length && profile.archMap?.length)
    throw invalid(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  const native = Object.values(architectures).find(({ go }) => go === context.arch)?.seccomp;
  const mapped = profile.archMap?.find(({ architecture }) => architecture === native);
  const chosen = [
    ...(profile.architectures ?? []),
    ...(mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : []),
  ];
  for (const name of chosen)
    if (!isArchitecture(name)) throw invalid(`string ${name} is not a valid arch for seccomp`);
  const syscalls: SeccompRule[] = [];
  for (const rule of profile.syscalls ?? []) {
    if (rule.name && rule.names?.length)
      throw invalid(
        "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
      );
    if (!applies(rule, context)) continue;
    const { action, errnoRet, args } = rule;
    const names = rule.name ? [rule.name] : (rule.names ?? []);
    const resolved: SeccompRule = {
      names,
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args?.length ? { args } : {}),
    };
    checkRule(resolved);
    syscalls.push(resolved);
  }
  const { defaultAction, defaultErrnoRet, flags } = profile;
  checkRule({ names: [], action: defaultAction });
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(chosen.length > 0 ? { architectures: chosen } : {}),
    ...(flags?.length ? { flags } : {}),
    syscalls,
  };
}
