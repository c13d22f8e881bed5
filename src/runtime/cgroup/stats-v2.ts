import { join } from "node:path";
import { parseKeyed, readOptional } from "./files.ts";
import { mainDirectory } from "./processes.ts";
import type { CgroupHost } from "./support.ts";
import type { GroupUsage } from "./usage.ts";

/** The lines of a v2 memory.stat that Docker passes on. */
const memoryStatKeys = [
  "active_anon",
  "active_file",
  "anon",
  "anon_thp",
  "file",
  "file_dirty",
  "file_mapped",
  "file_writeback",
  "inactive_anon",
  "inactive_file",
  "kernel_stack",
  "pgactivate",
  "pgdeactivate",
  "pgfault",
  "pglazyfree",
  "pglazyfreed",
  "pgmajfault",
  "pgrefill",
  "pgscan",
  "pgsteal",
  "shmem",
  "slab",
  "slab_reclaimable",
  "slab_unreclaimable",
  "sock",
  "thp_collapse_alloc",
  "thp_fault_alloc",
  "unevictable",
  "workingset_activate",
  "workingset_nodereclaim",
  "workingset_refault",
];

/** A number or "max". */
const limitOf = (text: string | undefined): number =>
  text === undefined || text.trim() === "max" ? Number.MAX_SAFE_INTEGER : Number(text);

function memory(read: (file: string) => string | undefined): GroupUsage["memory"] {
  const all = parseKeyed(read("memory.stat") ?? "");
  // Linux 5.9 split this one in two.
  all.workingset_refault ??= (all.workingset_refault_anon ?? 0) + (all.workingset_refault_file ?? 0);
  all.workingset_activate ??= (all.workingset_activate_anon ?? 0) + (all.workingset_activate_file ?? 0);
  const stats: Record<string, number> = {};
  for (const key of memoryStatKeys) stats[key] = all[key] ?? 0;
  const failures = parseKeyed(read("memory.events") ?? "").oom ?? 0;
  return {
    usage: Number(read("memory.current") ?? 0),
    stats,
    ...(failures > 0 ? { failcnt: failures } : {}),
    limit: limitOf(read("memory.max")),
  };
}

/** "254:0 rbytes=1 wbytes=2 …" lines of io.stat. */
function blkio(text: string): GroupUsage["blkio"] {
  const bytes = text.split("\n").flatMap((line) => {
    const [, major, minor, rest = ""] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined) return [];
    const value = (key: string) => Number(new RegExp(`\\b${key}=(\\d+)`).exec(rest)?.[1] ?? 0);
    const device = { major: Number(major), minor: Number(minor) };
    return [
      { ...device, op: "read", value: value("rbytes") },
      { ...device, op: "write", value: value("wbytes") },
    ];
  });
  return {
    io_service_bytes_recursive: bytes,
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

export function statsV2(host: CgroupHost, path: string): GroupUsage {
  const directory = mainDirectory(host, path);
  const read = (file: string) => readOptional(join(directory, file));
  const cpu = parseKeyed(read("cpu.stat") ?? "");
  const nanoseconds = (key: string) => (cpu[key] ?? 0) * 1000;
  const limit = limitOf(read("pids.max"));
  return {
    cpu: {
      total_usage: nanoseconds("usage_usec"),
      usage_in_kernelmode: nanoseconds("system_usec"),
      usage_in_usermode: nanoseconds("user_usec"),
    },
    throttling: {
      periods: cpu.nr_periods ?? 0,
      throttled_periods: cpu.nr_throttled ?? 0,
      throttled_time: nanoseconds("throttled_usec"),
    },
    memory: memory(read),
    blkio: blkio(read("io.stat") ?? ""),
    pids: {
      current: Number(read("pids.current") ?? 0),
      ...(limit === Number.MAX_SAFE_INTEGER ? {} : { limit }),
    },
  };
}
