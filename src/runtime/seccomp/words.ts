import { invalid } from "../../lib/errors.ts";
import type { SeccompRule } from "../oci.ts";

/** SECCOMP_RET_ values of <linux/seccomp.h>; the lower 16 bits of some carry an errno. */
const actions: Record<string, number> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

const carriesErrno = new Set(["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"]);

const EPERM = 1;

/** An action as libseccomp's SCMP_ACT_ macros encode it; EPERM without an errno. */
export function actionNumber(name: string, errno = EPERM): number {
  const action = actions[name];
  if (action === undefined) throw invalid(`string ${name} is not a valid action for seccomp`);
  return carriesErrno.has(name) ? action + (errno & 0xffff) : action;
}

/** enum scmp_compare of <seccomp.h>. */
const comparisons: Record<string, number> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

export function comparisonNumber(name: string): number {
  const comparison = comparisons[name];
  if (comparison === undefined) throw invalid(`string ${name} is not a valid operator for seccomp`);
  return comparison;
}

/** libseccomp's names of architectures for the specification's. */
const architectures: Record<string, string> = {
  SCMP_ARCH_X86: "x86",
  SCMP_ARCH_X86_64: "x86_64",
  SCMP_ARCH_X32: "x32",
  SCMP_ARCH_ARM: "arm",
  SCMP_ARCH_AARCH64: "aarch64",
  SCMP_ARCH_MIPS: "mips",
  SCMP_ARCH_MIPS64: "mips64",
  SCMP_ARCH_MIPS64N32: "mips64n32",
  SCMP_ARCH_MIPSEL: "mipsel",
  SCMP_ARCH_MIPSEL64: "mipsel64",
  SCMP_ARCH_MIPSEL64N32: "mipsel64n32",
  SCMP_ARCH_PPC: "ppc",
  SCMP_ARCH_PPC64: "ppc64",
  SCMP_ARCH_PPC64LE: "ppc64le",
  SCMP_ARCH_RISCV64: "riscv64",
  SCMP_ARCH_S390: "s390",
  SCMP_ARCH_S390X: "s390x",
  SCMP_ARCH_LOONGARCH64: "loongarch64",
};

export const isArchitecture = (name: string): boolean => name in architectures;

export function architectureName(name: string): string {
  const architecture = architectures[name];
  if (architecture === undefined) throw invalid(`string ${name} is not a valid arch for seccomp`);
  return architecture;
}

/** SECCOMP_FILTER_FLAG_ bits of seccomp(2) that a profile may ask for. TSYNC is moot before exec. */
const flags: Record<string, number> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
};

/** The flags to load a filter with; without a wish, the one that leaves speculation as it is. */
export function flagBits(names: readonly string[] = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]): number {
  return names.reduce((bits, name) => {
    const bit = flags[name];
    if (bit === undefined) throw invalid(`seccomp flags: ${name} is not supported`);
    return bits | bit;
  }, 0);
}

/** A system call's name goes into a line of text and must not break out of it. */
const callName = /^[A-Za-z0-9_]+$/;

/** Throws for words or numbers that no filter can be made of. */
export function checkRule(rule: SeccompRule): void {
  actionNumber(rule.action, rule.errnoRet);
  for (const name of rule.names)
    if (!callName.test(name)) throw invalid(`seccomp profile names "${name}", which is no system call`);
  for (const argument of rule.args ?? []) {
    comparisonNumber(argument.op);
    if (!(argument.index >= 0 && argument.index < 6))
      throw invalid(
        `error creating seccomp syscall condition for syscall ${rule.names[0] ?? ""}: syscalls only have up to 6 arguments (${argument.index} given)`,
      );
    for (const value of [argument.value, argument.valueTwo ?? 0])
      if (!/^\d+$/.test(BigInt(value).toString()) || BigInt(value) >> 64n)
        throw invalid(`seccomp profile compares with ${value}, which does not fit 64 bits`);
  }
}
