import { blockDevice } from "../devices.ts";
import type { DeviceRule, Resources, ThrottleDevice } from "../oci.ts";
import type { ResourceOptions } from "./validate.ts";

/** The kernel's bounds of cpu.shares; Docker's API takes anything and clamps. */
const sharesRange = [2, 262144] as const;

/** µs of a scheduling period when --cpus asks for a share of it. */
const cpusPeriod = 100_000;

type Throttles = ResourceOptions["BlkioDeviceReadBps"];

const throttles = (list: Throttles): ThrottleDevice[] =>
  (list ?? []).map(({ Path = "", Rate = 0 }) => ({ ...blockDevice(Path), rate: Rate }));

/** Memory and swap together, when only memory is limited: twice as much. */
export function defaultSwap(options: ResourceOptions): void {
  if ((options.Memory ?? 0) > 0 && !options.MemorySwap) options.MemorySwap = (options.Memory ?? 0) * 2;
}

/**
 * The specification's form of Docker's limits, which `validateResources` has passed. Looks up the
 * numbers of the block devices named in them; throws `stat PATH: …` when there is none.
 */
export function resourcesOf(options: ResourceOptions, devices?: DeviceRule[]): Resources {
  const positive = (value: number | null | undefined) => (value && value > 0 ? value : undefined);
  const shares = positive(options.CpuShares);
  const nano = positive(options.NanoCpus);
  return {
    ...(devices ? { devices } : {}),
    memory: {
      limit: positive(options.Memory),
      swap: options.MemorySwap || undefined,
      reservation: positive(options.MemoryReservation),
      swappiness: options.MemorySwappiness ?? undefined,
      disableOOMKiller: options.OomKillDisable || undefined,
    },
    cpu: {
      shares: shares && Math.min(Math.max(shares, sharesRange[0]), sharesRange[1]),
      quota: nano ? Math.floor((nano * cpusPeriod) / 1e9) : options.CpuQuota || undefined,
      period: nano ? cpusPeriod : positive(options.CpuPeriod),
      realtimeRuntime: options.CpuRealtimeRuntime || undefined,
      realtimePeriod: positive(options.CpuRealtimePeriod),
      cpus: options.CpusetCpus || undefined,
      mems: options.CpusetMems || undefined,
    },
    ...(positive(options.PidsLimit) ? { pids: { limit: options.PidsLimit ?? -1 } } : {}),
    blockIO: {
      weight: positive(options.BlkioWeight),
      weightDevice: (options.BlkioWeightDevice ?? []).map(({ Path = "", Weight = 0 }) => ({
        ...blockDevice(Path),
        weight: Weight,
      })),
      throttleReadBpsDevice: throttles(options.BlkioDeviceReadBps),
      throttleWriteBpsDevice: throttles(options.BlkioDeviceWriteBps),
      throttleReadIOPSDevice: throttles(options.BlkioDeviceReadIOps),
      throttleWriteIOPSDevice: throttles(options.BlkioDeviceWriteIOps),
    },
  };
}
