import { type DiskInfo, diskInfo, type SnapshotInfo } from "../../hypervisor/machine/disk.ts";
import { qemuProgram } from "../../hypervisor/qemu.ts";
import { cgroupStats } from "../../runtime/cgroup/stats.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { idMapping } from "../id-ranges.ts";
import { logPath } from "../logs/options.ts";
import { networkSettings } from "../network/settings.ts";
import { machinePaths } from "./paths.ts";
import type { Machine } from "./record.ts";
import type { MachineDetails, MachineSnapshot, MachineSummary } from "./types.ts";

const noDisk: DiskInfo = { size: 0, used: 0, snapshots: [] };

/** A machine with what is allotted to it and what it uses. */
export async function summarizeMachine(context: EngineContext, machine: Machine): Promise<MachineSummary> {
  return summary(context, machine, await disk(context, machine));
}

/** A machine's disk; an empty one while it is being made. */
const disk = (context: EngineContext, { id }: Machine): Promise<DiskInfo> =>
  diskInfo(machinePaths(context, id).disk).catch(() => noDisk);

function summary(
  context: EngineContext,
  { record, running }: Machine,
  { size, used }: DiskInfo,
): MachineSummary {
  const { memory, cpus, source } = record.machine;
  const stats = running ? cgroupStats(context.cgroups, record.cgroupPath) : null;
  const endpoints = record.state.network?.endpoints ?? [];
  return {
    Id: record.id,
    Name: record.name,
    Created: record.created,
    Source: "image" in source ? source.image : source.disk,
    Status: record.state.status,
    Memory: memory,
    Cpus: cpus,
    DiskSize: size,
    MemoryUsed: Number(stats?.memory_stats.usage ?? 0),
    CpuSeconds: Number(stats?.cpu_stats?.cpu_usage?.total_usage ?? 0) / 1e9,
    DiskUsed: used,
    Addresses: endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter(Boolean),
  };
}

/** Everything about a machine. */
export async function describeMachine(context: EngineContext, machine: Machine): Promise<MachineDetails> {
  const { record, running, control } = machine;
  const { state, hostConfig } = record;
  const paths = machinePaths(context, record.id);
  const known = await disk(context, machine);
  const { accelerator = "", type = "", kernel = "" } = record.machine.hypervisor ?? {};
  return {
    ...summary(context, machine, known),
    State: {
      Status: state.status,
      Running: running,
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: state.startedAt,
      FinishedAt: state.finishedAt,
      RestartCount: state.restartCount,
      Guest: control ? await control.status().catch(() => "unknown") : "",
    },
    Hypervisor: {
      Program: qemuProgram,
      Accelerator: accelerator,
      Type: type,
      Chipset: "image" in record.machine.source ? "microvm" : "q35",
      Kernel: kernel,
    },
    GuestMemory: control ? await control.memory() : null,
    RestartPolicy: hostConfig.RestartPolicy,
    Network: hostConfig.NetworkMode ?? "",
    Ports: (running ? networkSettings(context, machine).Ports : null) ?? hostConfig.PortBindings,
    Paths: {
      Disk: paths.disk,
      Control: paths.control,
      Log: logPath(hostConfig, containerDirectory(context, record.id), record.id),
      Cgroup: record.cgroupPath,
    },
    User: state.idRange === null ? null : idMapping(state.idRange).hostID,
    Snapshots: known.snapshots.map(toSnapshot),
  };
}

export const toSnapshot = ({ name, created, memory }: SnapshotInfo): MachineSnapshot => ({
  Name: name,
  Created: new Date(created * 1000).toISOString(),
  Memory: memory,
});
