import type { ContainerStatsResponse } from "@docker/node-sdk";

/** What one group has used, before the machine's own numbers are added. */
export interface GroupUsage {
  cpu: NonNullable<NonNullable<ContainerStatsResponse["cpu_stats"]>["cpu_usage"]>;
  throttling: NonNullable<NonNullable<ContainerStatsResponse["cpu_stats"]>["throttling_data"]>;
  memory: NonNullable<ContainerStatsResponse["memory_stats"]>;
  blkio: NonNullable<ContainerStatsResponse["blkio_stats"]>;
  pids: NonNullable<ContainerStatsResponse["pids_stats"]>;
}

/** Nanoseconds in a tick of /proc/stat and cpuacct.stat: USER_HZ is 100 on every architecture Node runs on. */
export const tick = 10_000_000;
