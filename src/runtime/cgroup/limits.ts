import { join } from "node:path";
import { parseKeyed, readOptional } from "./files.ts";
import { hierarchyOf } from "./layout.ts";
import type { CgroupHost } from "./support.ts";

/** What a group may use; a field is absent where nothing limits it. Sizes in bytes. */
export interface GroupLimits {
  memory?: number;
  /** Memory and swap together. */
  memorySwap?: number;
  memoryReservation?: number;
  /** CPUs' worth of time. */
  cpus?: number;
  /** v1 shares, 1024 being the default; or v2 weight, 100 being the default. */
  cpuShares?: number;
  cpuWeight?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  pids?: number;
}

/** What a group and those below it use now. */
export interface GroupUsage {
  /** Bytes. */
  memory?: number;
  /** Seconds of CPU time since the group was made. */
  cpuSeconds?: number;
  pids?: number;
}

/** v1 says "no limit" with the largest multiple of a page. */
const v1Unlimited = 2 ** 62;

const number = (text: string | undefined): number | undefined => {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
};

const limit = (text: string | undefined): number | undefined => {
  const value = number(text);
  return value === undefined || value >= v1Unlimited ? undefined : value;
};

/** Drops what is undefined, so that JSON and comparisons see only what there is. */
const defined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

/** Reads a file of a group in the hierarchy of a controller; undefined where the group is not in it. */
export type ReadGroupFile = (controller: string, file: string) => string | undefined;

export function reader(host: CgroupHost, path: string): ReadGroupFile {
  const { layout } = host;
  return (controller, file) => {
    const mountpoint =
      layout.mode === "v2" ? layout.unified?.mountpoint : hierarchyOf(layout, controller)?.mountpoint;
    return mountpoint === undefined ? undefined : readOptional(join(mountpoint, path, file));
  };
}

function limitsV1(read: ReadGroupFile): GroupLimits {
  const quota = limit(read("cpu", "cpu.cfs_quota_us"));
  const shares = number(read("cpu", "cpu.shares"));
  return {
    memory: limit(read("memory", "memory.limit_in_bytes")),
    memorySwap: limit(read("memory", "memory.memsw.limit_in_bytes")),
    memoryReservation: limit(read("memory", "memory.soft_limit_in_bytes")),
    cpus: quota && quota / (number(read("cpu", "cpu.cfs_period_us")) ?? 100000),
    cpuShares: shares === 1024 ? undefined : shares,
    cpusetCpus: read("cpuset", "cpuset.cpus")?.trim() || undefined,
    cpusetMems: read("cpuset", "cpuset.mems")?.trim() || undefined,
    pids: number(read("pids", "pids.max")),
  };
}

function limitsV2(read: ReadGroupFile): GroupLimits {
  const [quota, period] = (read("cpu", "cpu.max") ?? "max 100000").split(" ").map(Number);
  const memory = number(read("memory", "memory.max"));
  const swap = number(read("memory", "memory.swap.max"));
  const reservation = number(read("memory", "memory.low"));
  const weight = number(read("cpu", "cpu.weight"));
  return {
    memory,
    memorySwap: memory === undefined || swap === undefined ? undefined : memory + swap,
    memoryReservation: reservation || undefined,
    cpus: quota && period ? quota / period : undefined,
    cpuWeight: weight === 100 ? undefined : weight,
    cpusetCpus: read("cpuset", "cpuset.cpus")?.trim() || undefined,
    cpusetMems: read("cpuset", "cpuset.mems")?.trim() || undefined,
    pids: number(read("pids", "pids.max")),
  };
}

/** The limits a group has itself; those above it count too. */
export function groupLimits(host: CgroupHost, path: string): GroupLimits {
  const read = reader(host, path);
  return defined(host.layout.mode === "v2" ? limitsV2(read) : limitsV1(read));
}

/** What a group uses, with all below it. */
export function groupUsage(host: CgroupHost, path: string): GroupUsage {
  const read = reader(host, path);
  const v2 = host.layout.mode === "v2";
  const nanoseconds = v2
    ? (parseKeyed(read("cpu", "cpu.stat") ?? "").usage_usec ?? 0) * 1000
    : number(read("cpuacct", "cpuacct.usage"));
  return defined({
    memory: number(read("memory", v2 ? "memory.current" : "memory.usage_in_bytes")),
    cpuSeconds: nanoseconds === undefined ? undefined : nanoseconds / 1e9,
    pids: number(read("pids", "pids.current")),
  });
}
