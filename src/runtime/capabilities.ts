import { readFileSync } from "node:fs";
import { invalid } from "../lib/errors.ts";

/** Capability names by number, as in capability.h of Linux 5.9 and newer. */
export const capabilityNames = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

export type CapabilityName = (typeof capabilityNames)[number];

const numbers = new Map<string, number>(capabilityNames.map((name, number) => [name, number]));

const isCapability = (name: string): name is CapabilityName => numbers.has(name);

/** The number of a capability, as in capabilities(7). Throws on a name that is not one. */
export function capabilityNumber(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw invalid(`unknown capability: "${name}"`);
  return number;
}

/** The bit mask that capset(2) and /proc/PID/status use. */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) mask |= 1n << BigInt(capabilityNumber(name));
  return mask;
}

/** The names in a bit mask, by number; bits without a name here are left out. */
export function capabilitiesOf(mask: bigint): CapabilityName[] {
  return capabilityNames.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/**
 * The bounding set of this process: the most it can give a container that stays in its user
 * namespace. A new user namespace starts with the full set, whatever its maker lacks.
 */
export function boundingSet(status = readFileSync("/proc/self/status", "latin1")): CapabilityName[] {
  const mask = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask === undefined ? [...capabilityNames] : capabilitiesOf(BigInt(`0x${mask}`));
}

type Option = "CapAdd" | "CapDrop";

/**
 * The canonical names of --cap-add or --cap-drop: upper case, with CAP_, "ALL" kept. Throws with
 * dockerd's text on a name that is none, or that is not among `available`.
 */
export function normalizeCapabilities(
  names: readonly string[],
  option: Option,
  available: readonly CapabilityName[] = capabilityNames,
): (CapabilityName | "ALL")[] {
  return names.map((given) => {
    const upper = given.toUpperCase();
    if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (!isCapability(name)) throw invalid(`invalid ${option}: unknown capability: "${name}"`);
    if (option === "CapAdd" && !available.includes(name))
      throw invalid(
        `invalid ${option}: capability not supported by your kernel or not available in the current environment: "${name}"`,
      );
    return name;
  });
}

export interface CapabilityWish {
  add?: readonly string[] | null;
  drop?: readonly string[] | null;
  privileged?: boolean;
}

export interface CapabilityChoice {
  capabilities: CapabilityName[];
  /** What "all" cannot include here, worded for the user. */
  warnings: string[];
}

/**
 * The capabilities a container gets, from Docker's options over `basic`. `available` is what can be
 * given: `boundingSet()` when the container shares the host's user namespace, everything otherwise.
 */
export function chooseCapabilities(
  wish: CapabilityWish,
  basic: readonly CapabilityName[],
  available: readonly CapabilityName[] = capabilityNames,
): CapabilityChoice {
  const add = normalizeCapabilities(wish.add ?? [], "CapAdd", available);
  const drop = normalizeCapabilities(wish.drop ?? [], "CapDrop", available);
  if (wish.privileged || add.includes("ALL")) {
    const dropped = wish.privileged ? [] : drop;
    return {
      capabilities: available.filter((name) => !dropped.includes(name)),
      warnings: missingWarning(capabilityNames.filter((name) => !available.includes(name))),
    };
  }
  const kept = drop.includes("ALL") ? [] : basic.filter((name) => !drop.includes(name));
  const wanted = new Set([...kept, ...add.filter((name) => name !== "ALL")]);
  return {
    capabilities: [...wanted].filter((name) => available.includes(name)),
    warnings: missingWarning([...wanted].filter((name) => !available.includes(name))),
  };
}

function missingWarning(missing: readonly CapabilityName[]): string[] {
  if (missing.length === 0) return [];
  return [`This process lacks ${missing.join(", ")} and cannot give it to containers; left out.`];
}
