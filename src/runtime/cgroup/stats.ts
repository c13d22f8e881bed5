import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import type { ContainerStatsResponse } from "@docker/node-sdk";
import { statsV1 } from "./stats-v1.ts";
import { statsV2 } from "./stats-v2.ts";
import type { CgroupHost } from "./support.ts";
import { tick } from "./usage.ts";

/** The parts of Docker's stats that come from control groups. */
export type CgroupStats = Required<
  Pick<ContainerStatsResponse, "cpu_stats" | "memory_stats" | "blkio_stats" | "pids_stats">
>;

/** Nanoseconds that all CPUs together have spent, idle included, and how many CPUs there are. */
export function machineCpu(stat = readFileSync("/proc/stat", "latin1")): { usage: number; online: number } {
  const [total = "", ...rest] = stat.split("\n");
  // user, nice, system, idle, iowait, irq, softirq; guests' time is in user's already.
  const ticks = total
    .split(/\s+/)
    .slice(1, 8)
    .reduce((sum, field) => sum + Number(field), 0);
  return { usage: ticks * tick, online: rest.filter((line) => /^cpu\d/.test(line)).length };
}

/**
 * A reading of a running container's group, as /containers/{id}/stats shows it. Zeros where the
 * group or a controller is missing.
 */
export function cgroupStats(host: CgroupHost, path: string): CgroupStats {
  const usage = host.layout.mode === "v2" ? statsV2(host, path) : statsV1(host, path);
  const machine = machineCpu();
  const limit = usage.memory.limit ?? 0;
  return {
    cpu_stats: {
      cpu_usage: usage.cpu,
      system_cpu_usage: machine.usage,
      online_cpus: machine.online,
      throttling_data: usage.throttling,
    },
    // Without a limit of its own a container may use what the machine has.
    memory_stats: { ...usage.memory, limit: Math.min(limit, totalmem()) },
    blkio_stats: usage.blkio,
    pids_stats: usage.pids,
  };
}
