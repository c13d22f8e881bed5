import type { Resources as DockerResources } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import type { CgroupSupport } from "./support.ts";

/** The least memory a container may be limited to, in bytes. */
export const minimumMemory = 6291456;

/** What of Docker's HostConfig limits resources. Sizes in bytes, times in µs, NanoCpus in 10⁻⁹ CPUs. */
export type ResourceOptions = Pick<
  DockerResources,
  | "Memory"
  | "MemorySwap"
  | "MemoryReservation"
  | "MemorySwappiness"
  | "OomKillDisable"
  | "PidsLimit"
  | "NanoCpus"
  | "CpuShares"
  | "CpuPeriod"
  | "CpuQuota"
  | "CpuRealtimePeriod"
  | "CpuRealtimeRuntime"
  | "CpusetCpus"
  | "CpusetMems"
  | "BlkioWeight"
  | "BlkioWeightDevice"
  | "BlkioDeviceReadBps"
  | "BlkioDeviceWriteBps"
  | "BlkioDeviceReadIOps"
  | "BlkioDeviceWriteIOps"
  | "CpuPercent"
  | "IOMaximumBandwidth"
  | "IOMaximumIOps"
> & { KernelMemory?: number };

const noKernelSupport = (what: string, then: string) =>
  `Your kernel does not support ${what} or the cgroup is not mounted. ${then}`;

type Check = (options: ResourceOptions, support: CgroupSupport, warnings: string[], update: boolean) => void;

const checkMemory: Check = (options, support, warnings, update) => {
  if (options.MemorySwappiness === -1) options.MemorySwappiness = undefined;
  const memory = options.Memory ?? 0;
  if (memory !== 0 && memory < minimumMemory) throw invalid("Minimum memory limit allowed is 6MB");
  if (memory > 0 && !support.memory) {
    warnings.push(noKernelSupport("memory limit capabilities", "Limitation discarded."));
    options.Memory = 0;
    options.MemorySwap = -1;
  }
  if ((options.Memory ?? 0) > 0 && options.MemorySwap !== -1 && !support.swap) {
    warnings.push(noKernelSupport("swap limit capabilities", "Memory limited without swap."));
    options.MemorySwap = -1;
  }
  const limit = options.Memory ?? 0;
  const swap = options.MemorySwap ?? 0;
  if (limit > 0 && swap > 0 && swap < limit)
    throw invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
  if (limit === 0 && swap > 0 && !update)
    throw invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
  checkMemoryDetails(options, support, warnings, limit);
};

function checkMemoryDetails(
  options: ResourceOptions,
  support: CgroupSupport,
  warnings: string[],
  limit: number,
): void {
  const swappiness = options.MemorySwappiness;
  if (swappiness !== undefined && swappiness !== null) {
    if (!support.swappiness) {
      warnings.push(noKernelSupport("memory swappiness capabilities", "Memory swappiness discarded."));
      options.MemorySwappiness = undefined;
    } else if (swappiness < 0 || swappiness > 100)
      throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if ((options.MemoryReservation ?? 0) > 0 && !support.memoryReservation) {
    warnings.push(noKernelSupport("memory soft limit capabilities", "Limitation discarded."));
    options.MemoryReservation = 0;
  }
  const reservation = options.MemoryReservation ?? 0;
  if (reservation > 0 && reservation < minimumMemory)
    throw invalid("Minimum memory reservation allowed is 6MB");
  if (limit > 0 && reservation > 0 && limit < reservation)
    throw invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
  if ((options.KernelMemory ?? 0) > 0) {
    warnings.push(noKernelSupport("kernel memory limit capabilities", "Limitation discarded."));
    options.KernelMemory = 0;
  }
  if (options.OomKillDisable && !support.oomKillDisable) {
    warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
    options.OomKillDisable = undefined;
  }
  if (options.OomKillDisable && limit === 0)
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
}

const checkPids: Check = (options, support, warnings) => {
  if (options.PidsLimit === undefined || options.PidsLimit === null || support.pids) return;
  if (options.PidsLimit > 0)
    warnings.push(noKernelSupport("PIDs limit capabilities", "PIDs limit discarded."));
  options.PidsLimit = null;
};

const checkCpu: Check = (options, support, warnings) => {
  const nano = options.NanoCpus ?? 0;
  if (nano > 0 && (options.CpuPeriod ?? 0) > 0)
    throw invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nano > 0 && (options.CpuQuota ?? 0) > 0)
    throw invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (nano > 0 && !support.cpuCfs)
    throw invalid(
      "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
    );
  if (nano < 0 || nano > support.cpuCount * 1e9)
    throw invalid(
      `Range of CPUs is from 0.01 to ${support.cpuCount}.00, as there are only ${support.cpuCount} CPUs available`,
    );
  if ((options.CpuShares ?? 0) < 0) throw invalid("shares: invalid argument");
  if ((options.CpuShares ?? 0) > 0 && !support.cpuShares) {
    warnings.push(noKernelSupport("CPU shares", "Shares discarded."));
    options.CpuShares = 0;
  }
  if ((options.CpuPeriod || options.CpuQuota) && !support.cpuCfs) {
    warnings.push("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.");
    options.CpuPeriod = 0;
    options.CpuQuota = 0;
  }
  const period = options.CpuPeriod ?? 0;
  if (period !== 0 && (period < 1000 || period > 1000000))
    throw invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  const quota = options.CpuQuota ?? 0;
  if (quota > 0 && quota < 1000) throw invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if ((options.CpuPercent ?? 0) > 0) {
    warnings.push("linux does not support CPU percent. Percent discarded.");
    options.CpuPercent = 0;
  }
  if ((options.CpuRealtimePeriod || options.CpuRealtimeRuntime) && !support.cpuRealtime)
    throw invalid("Your kernel does not support CPU real-time scheduler");
  const realtimePeriod = options.CpuRealtimePeriod ?? 0;
  if (realtimePeriod > 0 && (options.CpuRealtimeRuntime ?? 0) > realtimePeriod)
    throw invalid("cpu real-time runtime cannot be higher than cpu real-time period");
};

/** The largest CPU or node number that a list may name; more would only cost memory. */
const largestListed = 8191;

/** The numbers in a list such as "0-3,7"; undefined when it is none. */
export function parseCpuList(list: string): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of list.split(",").filter((text) => text !== "")) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || to < from || to > largestListed) return undefined;
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return numbers;
}

const checkCpuset: Check = (options, support, warnings) => {
  if ((options.CpusetCpus || options.CpusetMems) && !support.cpuset) {
    warnings.push(noKernelSupport("cpuset", "Cpuset discarded."));
    options.CpusetCpus = "";
    options.CpusetMems = "";
  }
  for (const [wanted, available, name, things] of [
    [options.CpusetCpus, support.cpus, "cpuset cpus", "CPUs"],
    [options.CpusetMems, support.mems, "cpuset mems", "memory nodes"],
  ] as const) {
    if (!wanted) continue;
    const numbers = parseCpuList(wanted);
    if (!numbers) throw invalid(`Invalid value ${wanted} for ${name}: invalid format: ${wanted}`);
    const there = parseCpuList(available);
    if (there && [...numbers].some((number) => !there.has(number)))
      throw invalid(`Requested ${things} are not available - requested ${wanted}, available: ${available}`);
  }
};

const checkBlkio: Check = (options, support, warnings) => {
  if ((options.BlkioWeight ?? 0) > 0 && !support.blkioWeight) {
    warnings.push(noKernelSupport("Block I/O weight", "Weight discarded."));
    options.BlkioWeight = 0;
  }
  const weight = options.BlkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000))
    throw invalid("Range of blkio weight is from 10 to 1000");
  if (options.IOMaximumBandwidth || options.IOMaximumIOps)
    throw invalid("Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps");
  if ((options.BlkioWeightDevice?.length ?? 0) > 0 && !support.blkioWeightDevice) {
    warnings.push(noKernelSupport("Block I/O weight_device", "Weight-device discarded."));
    options.BlkioWeightDevice = [];
  }
  for (const [key, what, discarded] of [
    ["BlkioDeviceReadBps", "BPS Block I/O read limit", "Block I/O BPS read limit"],
    ["BlkioDeviceWriteBps", "BPS Block I/O write limit", "Block I/O BPS write limit"],
    ["BlkioDeviceReadIOps", "IOPS Block read limit", "Block I/O IOPS read limit"],
    ["BlkioDeviceWriteIOps", "IOPS Block write limit", "Block I/O IOPS write limit"],
  ] as const)
    if ((options[key]?.length ?? 0) > 0 && !support.blkioThrottle) {
      warnings.push(noKernelSupport(what, `${discarded} discarded.`));
      options[key] = [];
    }
};

/**
 * Checks limits as dockerd does, with its texts: throws for what cannot be, and returns warnings for
 * what this machine cannot do. `options` is changed: what was discarded is gone from it.
 */
export function validateResources(
  options: ResourceOptions,
  support: CgroupSupport,
  how: { update?: boolean } = {},
): string[] {
  const warnings: string[] = [];
  for (const check of [checkMemory, checkPids, checkCpu, checkCpuset, checkBlkio])
    check(options, support, warnings, how.update ?? false);
  return warnings;
}
