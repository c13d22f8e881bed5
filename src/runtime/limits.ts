import { readFileSync } from "node:fs";
import { rlimits } from "./linux.ts";
import type { Rlimit } from "./oci.ts";

const infinity = 0xffff_ffff_ffff_ffffn;
const CAP_SYS_RESOURCE = 24n;

const limitNames: Record<string, string> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** Hard limits by resource number, from the text of /proc/PID/limits; unlimited is 2^64 - 1. */
export function hardLimits(text: string = readFileSync("/proc/self/limits", "latin1")): Map<number, bigint> {
  const limits = new Map<number, bigint>();
  for (const line of text.split("\n")) {
    const resource = rlimits[limitNames[line.slice(0, 25).trim()] ?? ""];
    const hard = line.slice(47, 68).trim();
    if (resource !== undefined) limits.set(resource, hard === "unlimited" ? infinity : BigInt(hard));
  }
  return limits;
}

/** The resource limits of this process, which those it starts inherit, and whether it may raise them. */
export interface ResourceLimits {
  hard: ReadonlyMap<number, bigint>;
  mayRaise: boolean;
}

export function detectLimits(): ResourceLimits {
  const capabilities =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return { hard: hardLimits(), mayRaise: ((BigInt(`0x${capabilities}`) >> CAP_SYS_RESOURCE) & 1n) === 1n };
}

const value = (number: number): bigint =>
  number < 0 || number > Number.MAX_SAFE_INTEGER ? infinity : BigInt(number);

export interface ChosenLimit {
  resource: number;
  soft: bigint;
  hard: bigint;
  /** Needs the right to raise, which only the host has. */
  raises: boolean;
  /** Set when less than the wish was chosen. */
  warning?: string;
}

/**
 * What of a wished limit this process can give: without CAP_SYS_RESOURCE a hard limit can only be
 * lowered, so the wish is cut to the present one.
 */
export function chooseLimit(wish: Rlimit, limits: ResourceLimits): ChosenLimit {
  const resource = rlimits[wish.type];
  if (resource === undefined) throw new RangeError(`unknown resource limit ${wish.type}`);
  const [soft, hard] = [value(wish.soft), value(wish.hard)];
  const own = limits.hard.get(resource) ?? infinity;
  if (hard <= own) return { resource, soft, hard, raises: false };
  if (limits.mayRaise) return { resource, soft, hard, raises: true };
  return {
    resource,
    soft: soft > own ? own : soft,
    hard: own,
    raises: false,
    warning: `${wish.type} lowered to ${own}: raising hard limits needs CAP_SYS_RESOURCE, which this process lacks.`,
  };
}

/** What a user should be told of limits that cannot be given as wished. */
export function limitWarnings(wishes: readonly Rlimit[], given?: ResourceLimits): string[] {
  if (wishes.length === 0) return [];
  const limits = given ?? detectLimits();
  return wishes.flatMap((wish) => chooseLimit(wish, limits).warning ?? []);
}
