import type { ContainerUpdateResponse } from "@docker/node-sdk";
import { atLeast, defineCommand } from "../command.ts";
import { parseRestartPolicy } from "../create/restart.ts";
import { CliError, errorMessage } from "../errors.ts";
import { err, out } from "../io/output.ts";

/** Changes the limits of containers. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Change the limits of containers",
  aliases: ["container update", "update"],
  flags: {
    "blkio-weight": { type: "uint16", help: "Share of block I/O, 10 to 1000; 0 for none (default 0)" },
    "cpu-period": { type: "int", help: "Period of the CPU quota, in microseconds" },
    "cpu-quota": { type: "int", help: "CPU time in each period, in microseconds" },
    "cpu-rt-period": { type: "int", help: "Period of real-time CPU, in microseconds" },
    "cpu-rt-runtime": { type: "int", help: "Real-time CPU time in each period, in microseconds" },
    "cpu-shares": { type: "int", short: "c", help: "Share of CPU time, relative to others" },
    cpus: { type: "decimal", help: "Number of CPUs" },
    "cpuset-cpus": { type: "string", help: "CPUs to run on (0-3, 0,1)" },
    "cpuset-mems": { type: "string", help: "Memory nodes to use (0-3, 0,1)" },
    "kernel-memory": { type: "bytes", hidden: true, help: "Limit of kernel memory; obsolete" },
    memory: { type: "bytes", short: "m", help: "Limit of memory" },
    "memory-reservation": { type: "bytes", help: "Memory that is left when memory is short" },
    "memory-swap": { type: "swap", help: "Limit of memory and swap together; -1 for no limit" },
    "pids-limit": { type: "int", help: "Limit of processes; -1 for no limit" },
    restart: {
      type: "string",
      completes: ["no", "always", "unless-stopped", "on-failure"],
      help: "When to restart it: no, on-failure[:N], always or unless-stopped",
    },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, changed, client }) {
    if (changed.size === 0) throw new CliError("you must provide one or more flags when using this command");
    const body = {
      BlkioWeight: flags["blkio-weight"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      NanoCpus: flags.cpus,
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
      Memory: flags.memory,
      MemoryReservation: flags["memory-reservation"],
      MemorySwap: flags["memory-swap"],
      PidsLimit: changed.has("pids-limit") ? flags["pids-limit"] : undefined,
      RestartPolicy: changed.has("restart") ? parseRestartPolicy(flags.restart) : {},
    };
    const warnings: string[] = [];
    const errors: string[] = [];
    for (const name of args) {
      try {
        const path = `/containers/${encodeURIComponent(name)}/update`;
        const { Warnings } = await client.json<ContainerUpdateResponse>("POST", path, { body });
        out(`${name}\n`);
        warnings.push(...(Warnings ?? []));
      } catch (error) {
        errors.push(errorMessage(error));
      }
    }
    if (warnings.length > 0) err(`${warnings.join("\n")}\n`);
    if (errors.length > 0) throw new CliError(errors.join("\n"));
    return 0;
  },
});
