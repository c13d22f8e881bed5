import type { HostConfig } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { enclosedRootfs } from "../../runtime/spec/enclosure.ts";
import type { ContainerRecord } from "../record.ts";

/** Whether a container is to run in a virtual machine of its own. */
export const isIsolated = ({ Isolation }: HostConfig): boolean => Isolation === "hyperv";

/** What a container that does not say how it is isolated gets. */
export function withIsolation(
  { isolation }: { isolation: "default" | "hyperv" },
  config: HostConfig | null | undefined,
): HostConfig {
  const given = config ?? {};
  if (isolation === "default" || (given.Isolation && given.Isolation !== "default")) return given;
  return { ...given, Isolation: isolation };
}

/** A guest's memory without --memory. */
export const defaultMemory = 256 << 20;
/** Below it a guest's kernel does not come up. */
const leastMemory = 96 << 20;
/** Docker's --cpus and its kin say how much; a machine without them has one processor. */
const defaultCpus = 1;

/** What a container's virtual machine has. */
export interface MachineSize {
  /** Bytes. */
  memory: number;
  cpus: number;
}

export function machineSize({ Memory, NanoCpus, CpuQuota, CpuPeriod }: HostConfig): MachineSize {
  const share = NanoCpus ? NanoCpus / 1e9 : CpuQuota && CpuQuota > 0 ? CpuQuota / (CpuPeriod || 100_000) : 0;
  const page = 1 << 20;
  return {
    memory: Math.ceil((Memory || defaultMemory) / page) * page,
    cpus: Math.max(defaultCpus, Math.ceil(share)),
  };
}

/** Refuses what a container in a virtual machine cannot have: above all what is of the host. */
export function checkIsolation(config: HostConfig): void {
  if (!["", "default", "process", "hyperv"].includes(config.Isolation ?? "")) {
    throw invalid(
      `invalid isolation: ${JSON.stringify(config.Isolation)} - one of 'default', 'process' and 'hyperv'`,
    );
  }
  if (!isIsolated(config)) return;
  const refuse = (option: string, why: string): never => {
    throw invalid(`--isolation=hyperv: ${option} cannot be used with a virtual machine: ${why}`);
  };
  const ofHost = "the guest has a kernel of its own";
  for (const [option, mode] of [
    ["--network", config.NetworkMode],
    ["--pid", config.PidMode],
    ["--ipc", config.IpcMode],
    ["--uts", config.UTSMode],
  ] as const)
    if (mode === "host" || mode?.startsWith("container:")) refuse(`${option} ${mode}`, ofHost);
  if ((config.Devices?.length ?? 0) > 0 || (config.DeviceRequests?.length ?? 0) > 0)
    refuse("--device and --gpus", "the guest has no devices of the host");
  if ((config.DeviceCgroupRules?.length ?? 0) > 0) refuse("--device-cgroup-rule", ofHost);
  if (config.Memory && config.Memory < leastMemory) {
    throw invalid(
      `--isolation=hyperv: --memory is the whole machine's and must be at least ${leastMemory >> 20} MiB: the guest's kernel needs some of it`,
    );
  }
}

/** A running container's root as the host sees it. */
export const rootOf = ({ record }: { record: ContainerRecord }): string =>
  `/proc/${record.state.pid}/root${isIsolated(record.hostConfig) ? enclosedRootfs : ""}`;
