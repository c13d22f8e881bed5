import { type DiskInfo, diskInfo, type SnapshotInfo } from "../../hypervisor/machine/disk.ts";
import { qemuProgram } from "../../hypervisor/qemu.ts";
import type { Template } from "../../hypervisor/template.ts";
import { cgroupStats } from "../../runtime/cgroup/stats.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { firstId } from "../id-ranges.ts";
import { machineSize } from "../isolation/isolation.ts";
import { logPath } from "../logs/options.ts";
import { networkSettings } from "../network/settings.ts";
import { machinePaths } from "./paths.ts";
import type { Machine } from "./record.ts";
import type { MachineDetails, MachineSnapshot, MachineSummary, MachineTemplate } from "./types.ts";

const noDisk: DiskInfo = { size: 0, used: 0, snapshots: [] };

/** A machine with what is allotted to it and what it uses. */
export async function summarizeMachine(context: EngineContext, machine: Machine): Promise<MachineSummary> {
  return summary(context, machine, await disk(context, machine));
}

/** A machine's disk; an empty one while it is being made. */
const disk = (context: EngineContext, { id }: Machine): Promise<DiskInfo> =>
  diskInfo(machinePaths(context, id).disk).catch(() => noDisk);

function summary(context: EngineContext, machine: Machine, { size, used }: DiskInfo): MachineSummary {
  const { record } = machine;
  const { memory, cpus, source } = record.machine;
  return {
    ...usage(context, machine),
    Kind: "machine",
    Source: "image" in source ? source.image : source.disk,
    Memory: memory,
    Cpus: cpus,
    DiskSize: size,
    DiskUsed: used,
  };
}

/** A running container that has a machine of its own. */
export async function summarizeContainer(
  context: EngineContext,
  container: Container,
): Promise<MachineSummary> {
  const { config, hostConfig } = container.record;
  const { memory, cpus } = machineSize(hostConfig);
  return {
    ...usage(context, container),
    Kind: "container",
    Source: config.Image ?? "",
    Memory: memory,
    Cpus: cpus,
    DiskSize: 0,
    DiskUsed: 0,
  };
}

/** Memory without what the kernel keeps of files and would give back, as `docker stats` counts it. */
function usage(context: EngineContext, { record, running }: Container) {
  const stats = running ? cgroupStats(context.cgroups, record.cgroupPath) : null;
  const detail = stats?.memory_stats?.stats as Record<string, number> | undefined;
  const cache = Number(detail?.total_inactive_file ?? detail?.inactive_file ?? 0);
  const endpoints = record.state.network?.endpoints ?? [];
  return {
    Id: record.id,
    Name: record.name,
    Created: record.created,
    Status: record.state.status,
    MemoryUsed: Math.max(0, Number(stats?.memory_stats?.usage ?? 0) - cache),
    CpuSeconds: Number(stats?.cpu_stats?.cpu_usage?.total_usage ?? 0) / 1e9,
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
    User: state.idRange === null ? null : firstId(state.idRange),
    Snapshots: known.snapshots.map(toSnapshot),
  };
}

export const toSnapshot = ({ name, created, memory }: SnapshotInfo): MachineSnapshot => ({
  Name: name,
  Created: new Date(created * 1000).toISOString(),
  Memory: memory,
});

export const toTemplate = ({ name, created, memory, cpus, kernel, size }: Template): MachineTemplate => ({
  Name: name,
  Created: created,
  Memory: memory,
  Cpus: cpus,
  Kernel: kernel,
  Size: size,
});
