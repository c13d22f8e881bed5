import type { Client } from "../client/client.ts";
import type { FlagTable, Values } from "../flags/flag.ts";

const processId = (value: string): string => {
  if (!/^[1-9]\d{0,9}$/.test(value)) throw new Error(`invalid process id ${JSON.stringify(value)}`);
  return value;
};

/** The flags of what may limit a group. */
export const limitFlags = {
  "cpu-shares": { type: "int", short: "c", help: "Share of CPU time, relative to others (1024 is usual)" },
  cpus: { type: "decimal", help: "Number of CPUs; 0 for no limit" },
  "cpuset-cpus": { type: "string", help: "CPUs to run on (0-3, 0,1)" },
  "cpuset-mems": { type: "string", help: "Memory nodes to use (0-3, 0,1)" },
  memory: { type: "swap", short: "m", help: "Limit of memory; -1 for no limit" },
  "memory-reservation": { type: "swap", help: "Memory that is left when memory is short" },
  "memory-swap": { type: "swap", help: "Limit of memory and swap together; -1 for no limit" },
  pid: { type: "list", check: processId, help: "Put a running process into the group" },
  "pids-limit": { type: "int", help: "Limit of processes; -1 for no limit" },
} as const satisfies FlagTable;

/** The limits that were typed, as the API takes them. */
export function limitsBody(flags: Values<typeof limitFlags>, changed: ReadonlySet<string>): object {
  const given = <T>(name: keyof typeof limitFlags, value: T): T | undefined =>
    changed.has(name) ? value : undefined;
  return {
    CpuShares: given("cpu-shares", flags["cpu-shares"]),
    NanoCpus: given("cpus", flags.cpus || -1),
    CpusetCpus: given("cpuset-cpus", flags["cpuset-cpus"]),
    CpusetMems: given("cpuset-mems", flags["cpuset-mems"]),
    Memory: given("memory", flags.memory),
    MemoryReservation: given("memory-reservation", flags["memory-reservation"]),
    MemorySwap: given("memory-swap", flags["memory-swap"]),
    PidsLimit: given("pids-limit", flags["pids-limit"]),
  };
}

export const groupUrl = (path: string, rest = ""): string =>
  `/berth/cgroups/${encodeURIComponent(path)}${rest}`;

/** Puts the processes of --pid into a group. */
export async function putProcesses(client: Client, path: string, pids: readonly string[]): Promise<void> {
  if (pids.length === 0) return;
  await client.call("POST", groupUrl(path, "/processes"), { body: { Pids: pids.map(Number) } });
}
