import { checkUlimit } from "../create/checks.ts";
import type { FlagTable, Values } from "../flags/flag.ts";

/** The flags of a build that say what the containers of its steps get. */
export const stepFlags = {
  "add-host": { type: "list", placeholder: "host:ip", help: "Add a line to the steps' /etc/hosts" },
  allow: {
    type: "list",
    completes: ["device", "network.host", "security.insecure"],
    help: "Let steps ask for more than containers get: network.host, security.insecure,\ndevice[=NAME]",
  },
  "cgroup-parent": { type: "string", help: "Cgroup to put the steps' below" },
  "cpu-period": { type: "int", help: "Period of the steps' CPU quota, in microseconds" },
  "cpu-quota": { type: "int", help: "CPU time of a step in each period, in microseconds" },
  "cpu-shares": { type: "int", short: "c", help: "Share of CPU time of the steps, relative to others" },
  "cpuset-cpus": { type: "string", help: "CPUs for the steps (0-3, 0,1)" },
  "cpuset-mems": { type: "string", help: "Memory nodes for the steps (0-3, 0,1)" },
  isolation: { type: "string", help: "How steps are isolated from the machine" },
  memory: { type: "bytes", short: "m", help: "Memory limit of each step" },
  "memory-swap": { type: "swap", help: "Memory and swap together of each step; -1 for no limit on swap" },
  network: { type: "string", default: "default", help: "Network of the steps" },
  "security-opt": { type: "list", help: "Security option of the steps" },
  "shm-size": { type: "bytes", help: "Size of the steps' /dev/shm" },
  ulimit: {
    type: "list",
    placeholder: "ulimit",
    check: checkUlimit,
    help: "Resource limit of the steps (NAME=SOFT[:HARD])",
  },
} as const satisfies FlagTable;

/** What the API is asked for by them. */
export function stepQuery(
  flags: Values<typeof stepFlags>,
): Record<string, string | number | string[] | undefined> {
  const ulimits = flags.ulimit.map((spec) => {
    const [Name = "", limits = ""] = spec.split("=");
    const [Soft = 0, Hard = Soft] = limits.split(":").map(Number);
    return { Name, Soft, Hard };
  });
  return {
    allow: flags.allow,
    cgroupparent: flags["cgroup-parent"] || undefined,
    cpuperiod: flags["cpu-period"] || undefined,
    cpuquota: flags["cpu-quota"] || undefined,
    cpusetcpus: flags["cpuset-cpus"] || undefined,
    cpusetmems: flags["cpuset-mems"] || undefined,
    cpushares: flags["cpu-shares"] || undefined,
    extrahosts: flags["add-host"],
    isolation: flags.isolation || undefined,
    memory: flags.memory || undefined,
    memswap: flags["memory-swap"] || undefined,
    networkmode: flags.network,
    securityopt: flags["security-opt"],
    shmsize: flags["shm-size"] || undefined,
    ulimits: ulimits.length === 0 ? undefined : JSON.stringify(ulimits),
  };
}
