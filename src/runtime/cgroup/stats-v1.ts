import { join } from "node:path";
import type { ContainerStatsResponse } from "@docker/node-sdk";
import { parseKeyed, readOptional } from "./files.ts";
import { hierarchyOf } from "./layout.ts";
import type { CgroupHost } from "./support.ts";
import { type GroupUsage, tick } from "./usage.ts";

type BlkioEntries = NonNullable<ContainerStatsResponse["blkio_stats"]>["io_service_bytes_recursive"];

/** The lines of memory.stat that Docker passes on; each has a total_ twin that counts child groups too. */
const memoryKeys = [
  "active_anon",
  "active_file",
  "cache",
  "dirty",
  "inactive_anon",
  "inactive_file",
  "mapped_file",
  "pgfault",
  "pgmajfault",
  "pgpgin",
  "pgpgout",
  "rss",
  "rss_huge",
  "unevictable",
  "writeback",
];
const memoryStatKeys = [
  ...memoryKeys,
  "hierarchical_memory_limit",
  "hierarchical_memsw_limit",
  ...memoryKeys.map((key) => `total_${key}`),
].sort();

/** Reads files of one group in the hierarchy of a controller. */
type Read = (controller: string, file: string) => string | undefined;

const number = (text: string | undefined): number => {
  const value = Number(text?.trim());
  return Number.isFinite(value) ? value : 0;
};

function memory(read: Read): GroupUsage["memory"] {
  const all = parseKeyed(read("memory", "memory.stat") ?? "");
  const stats: Record<string, number> = {};
  for (const key of memoryStatKeys) if (all[key] !== undefined) stats[key] = all[key];
  const failures = number(read("memory", "memory.failcnt"));
  return {
    usage: number(read("memory", "memory.usage_in_bytes")),
    max_usage: number(read("memory", "memory.max_usage_in_bytes")),
    stats,
    ...(failures > 0 ? { failcnt: failures } : {}),
    limit: number(read("memory", "memory.limit_in_bytes")),
  };
}

/** "254:0 Read 4096" lines; the last, "Total 4096", is of no device. */
export function parseBlkio(text: string): NonNullable<BlkioEntries> {
  const entries: NonNullable<BlkioEntries> = [];
  for (const line of text.split("\n")) {
    const [, major, minor, op, value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (op !== undefined)
      entries.push({
        major: Number(major),
        minor: Number(minor),
        op,
        value: Number(value),
      });
  }
  return entries;
}

function blkio(read: Read): GroupUsage["blkio"] {
  // Under the bfq scheduler the requests pass the throttling layer uncounted, under others it counts all.
  const recursive = (file: string) => {
    const bfq = parseBlkio(read("blkio", `blkio.bfq.${file}_recursive`) ?? "");
    return bfq.length > 0 ? bfq : parseBlkio(read("blkio", `blkio.throttle.${file}_recursive`) ?? "");
  };
  return {
    io_service_bytes_recursive: recursive("io_service_bytes"),
    io_serviced_recursive: recursive("io_serviced"),
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  };
}

export function statsV1(host: CgroupHost, path: string): GroupUsage {
  const read: Read = (controller, file) => {
    const hierarchy = hierarchyOf(host.layout, controller);
    return hierarchy && readOptional(join(hierarchy.mountpoint, path, file));
  };
  const time = parseKeyed(read("cpuacct", "cpuacct.stat") ?? "");
  const throttled = parseKeyed(read("cpu", "cpu.stat") ?? "");
  const limit = number(read("pids", "pids.max"));
  return {
    cpu: {
      total_usage: number(read("cpuacct", "cpuacct.usage")),
      percpu_usage: (read("cpuacct", "cpuacct.usage_percpu") ?? "").split(/\s+/).filter(Boolean).map(Number),
      usage_in_kernelmode: (time.system ?? 0) * tick,
      usage_in_usermode: (time.user ?? 0) * tick,
    },
    throttling: {
      periods: throttled.nr_periods ?? 0,
      throttled_periods: throttled.nr_throttled ?? 0,
      throttled_time: throttled.throttled_time ?? 0,
    },
    memory: memory(read),
    blkio: blkio(read),
    pids: { current: number(read("pids", "pids.current")), ...(limit > 0 ? { limit } : {}) },
  };
}
