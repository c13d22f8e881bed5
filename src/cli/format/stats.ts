import type { ContainerStatsResponse } from "@docker/node-sdk";
import type { Listing } from "./rows.ts";
import { bytesSize, humanSize, shortId } from "./units.ts";

/** What `stats` shows of a container. Sizes in bytes, percentages of one CPU and of the limit. */
export interface StatsRow {
  /** As asked for. */
  container: string;
  id: string;
  name: string;
  /** False until there is something to show. */
  valid: boolean;
  cpu: number;
  memory: number;
  memoryLimit: number;
  received: number;
  sent: number;
  read: number;
  written: number;
  pids: number;
  error?: string;
}

/** The row of a container of which nothing is known yet. */
export function emptyStats(container: string): StatsRow {
  return {
    container,
    id: "",
    name: "",
    valid: false,
    cpu: 0,
    memory: 0,
    memoryLimit: 0,
    received: 0,
    sent: 0,
    read: 0,
    written: 0,
    pids: 0,
  };
}

/** A row of one sample of the API. */
export function toRow(container: string, stats: ContainerStatsResponse): StatsRow {
  const { memory_stats: memory } = stats;
  let received = 0;
  let sent = 0;
  const networks: Record<string, { rx_bytes?: number; tx_bytes?: number }> = stats.networks ?? {};
  for (const network of Object.values(networks)) {
    received += network.rx_bytes ?? 0;
    sent += network.tx_bytes ?? 0;
  }
  let read = 0;
  let written = 0;
  for (const { op = "", value = 0 } of stats.blkio_stats?.io_service_bytes_recursive ?? []) {
    if (/^r/i.test(op)) read += value;
    else if (/^w/i.test(op)) written += value;
  }
  return {
    container,
    id: stats.id ?? "",
    name: (stats.name ?? "").replace(/^\//, ""),
    valid: true,
    cpu: cpuPercent(stats),
    memory: usedMemory(memory),
    memoryLimit: Number(memory?.limit ?? 0),
    received,
    sent,
    read,
    written,
    pids: Number(stats.pids_stats?.current ?? 0),
  };
}

function cpuPercent({ cpu_stats: now, precpu_stats: before }: ContainerStatsResponse): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const system = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const cpus = now?.online_cpus || now?.cpu_usage?.percpu_usage?.length || 0;
  return used > 0 && system > 0 ? (used / system) * cpus * 100 : 0;
}

/** Memory in use without the part of the page cache that the kernel would give up first. */
function usedMemory(memory: ContainerStatsResponse["memory_stats"]): number {
  const usage = Number(memory?.usage ?? 0);
  const cache = Number(memory?.stats?.total_inactive_file ?? memory?.stats?.inactive_file ?? 0);
  return cache < usage ? usage - cache : usage;
}

/** The columns of `stats`. */
export function statsListing(full: boolean): Listing<StatsRow> {
  const shown = (value: (row: StatsRow) => string) => (row: StatsRow) => (row.valid ? value(row) : "--");
  const pair = (a: number, b: number, size: (bytes: number) => string) => `${size(a)} / ${size(b)}`;
  const decimal = (bytes: number) => humanSize(bytes, 3);
  return {
    typeName: "statsContext",
    table:
      "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "{{.ID}}",
    columns: {
      Container: { header: "CONTAINER", value: ({ container }) => container },
      Name: { header: "NAME", value: ({ name }) => name || "--" },
      ID: { header: "CONTAINER ID", value: ({ id }) => (full ? id : shortId(id)) || "--" },
      CPUPerc: { header: "CPU %", value: shown(({ cpu }) => `${cpu.toFixed(2)}%`) },
      MemUsage: {
        header: "MEM USAGE / LIMIT",
        value: ({ valid, memory, memoryLimit }) => (valid ? pair(memory, memoryLimit, bytesSize) : "-- / --"),
      },
      MemPerc: {
        header: "MEM %",
        value: shown(
          ({ memory, memoryLimit }) => `${(memoryLimit > 0 ? (memory / memoryLimit) * 100 : 0).toFixed(2)}%`,
        ),
      },
      NetIO: { header: "NET I/O", value: shown(({ received, sent }) => pair(received, sent, decimal)) },
      BlockIO: { header: "BLOCK I/O", value: shown(({ read, written }) => pair(read, written, decimal)) },
      PIDs: { header: "PIDS", value: shown(({ pids }) => String(pids)) },
    },
  };
}
