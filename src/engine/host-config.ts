import type { HostConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import { orNull } from "../lib/or-null.ts";
import { defaultShmSize, maskedPaths, readonlyPaths } from "../runtime/defaults.ts";
import { diskLimit } from "./disk.ts";
import { checkIsolation } from "./isolation/isolation.ts";
import { checkLogOptions } from "./logs/check.ts";

/** Logs are bounded unless the user says otherwise: docker's grow until the disk is full. */
const DEFAULT_LOG = { "max-size": "10m", "max-file": "3" };
const RUNTIMES = new Set(["", "berth", "runc", "io.containerd.runc.v2"]);
const RESTART_POLICIES = new Set(["", "no", "always", "unless-stopped", "on-failure"]);

/**
 * A HostConfig with every default filled in, as inspect shows it. Throws dockerd's texts for values
 * that cannot be; cgroup limits are checked by validateResources.
 */
export function normalizeHostConfig(request: HostConfig | null | undefined): HostConfig {
  const given = request ?? {};
  checkRestartPolicy(given);
  checkModes(given);
  diskLimit(given);
  const config: HostConfig = {
    ...given,
    Binds: orNull(given.Binds),
    ContainerIDFile: given.ContainerIDFile ?? "",
    LogConfig: normalizeLogConfig(given),
    NetworkMode: !given.NetworkMode || given.NetworkMode === "default" ? "bridge" : given.NetworkMode,
    PortBindings: given.PortBindings ?? {},
    RestartPolicy: {
      Name: given.RestartPolicy?.Name || "no",
      MaximumRetryCount: given.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    AutoRemove: given.AutoRemove ?? false,
    VolumeDriver: given.VolumeDriver ?? "",
    VolumesFrom: orNull(given.VolumesFrom),
    ConsoleSize: given.ConsoleSize ?? [0, 0],
    CapAdd: orNull(given.CapAdd),
    CapDrop: orNull(given.CapDrop),
    CgroupnsMode: given.CgroupnsMode || (given.Privileged ? "host" : "private"),
    Dns: given.Dns ?? [],
    DnsOptions: given.DnsOptions ?? [],
    DnsSearch: given.DnsSearch ?? [],
    ExtraHosts: orNull(given.ExtraHosts),
    GroupAdd: orNull(given.GroupAdd),
    IpcMode: given.IpcMode || "private",
    Cgroup: given.Cgroup ?? "",
    Links: orNull(given.Links),
    OomScoreAdj: given.OomScoreAdj ?? 0,
    PidMode: given.PidMode ?? "",
    Privileged: given.Privileged ?? false,
    PublishAllPorts: given.PublishAllPorts ?? false,
    ReadonlyRootfs: given.ReadonlyRootfs ?? false,
    SecurityOpt: orNull(given.SecurityOpt),
    UTSMode: given.UTSMode ?? "",
    UsernsMode: given.UsernsMode ?? "",
    ShmSize: given.ShmSize || defaultShmSize,
    Runtime: given.Runtime || "runc",
    Isolation: given.Isolation ?? ("" as HostConfig["Isolation"]),
    CpuShares: given.CpuShares ?? 0,
    Memory: given.Memory ?? 0,
    NanoCpus: given.NanoCpus ?? 0,
    CgroupParent: given.CgroupParent ?? "",
    BlkioWeight: given.BlkioWeight ?? 0,
    BlkioWeightDevice: given.BlkioWeightDevice ?? [],
    BlkioDeviceReadBps: given.BlkioDeviceReadBps ?? [],
    BlkioDeviceWriteBps: given.BlkioDeviceWriteBps ?? [],
    BlkioDeviceReadIOps: given.BlkioDeviceReadIOps ?? [],
    BlkioDeviceWriteIOps: given.BlkioDeviceWriteIOps ?? [],
    CpuPeriod: given.CpuPeriod ?? 0,
    CpuQuota: given.CpuQuota ?? 0,
    CpuRealtimePeriod: given.CpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: given.CpuRealtimeRuntime ?? 0,
    CpusetCpus: given.CpusetCpus ?? "",
    CpusetMems: given.CpusetMems ?? "",
    Devices: given.Devices ?? [],
    DeviceCgroupRules: orNull(given.DeviceCgroupRules),
    DeviceRequests: orNull(given.DeviceRequests),
    MemoryReservation: given.MemoryReservation ?? 0,
    // Docker's rule: as much swap as memory, so the sum is twice the limit.
    MemorySwap: given.MemorySwap || (given.Memory ? given.Memory * 2 : 0),
    // How the docker CLI says "not set".
    MemorySwappiness: orNull(given.MemorySwappiness === -1 ? null : given.MemorySwappiness),
    OomKillDisable: given.OomKillDisable ?? false,
    // Zero and less mean "no limit".
    PidsLimit: given.PidsLimit && given.PidsLimit > 0 ? given.PidsLimit : null,
    Ulimits: orNull(given.Ulimits),
    CpuCount: given.CpuCount ?? 0,
    CpuPercent: given.CpuPercent ?? 0,
    IOMaximumIOps: given.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: given.IOMaximumBandwidth ?? 0,
    MaskedPaths: orNull(given.Privileged ? null : (given.MaskedPaths ?? [...maskedPaths])),
    ReadonlyPaths: orNull(given.Privileged ? null : (given.ReadonlyPaths ?? [...readonlyPaths])),
  };
  return config;
}

function normalizeLogConfig(given: HostConfig): HostConfig["LogConfig"] {
  const type = given.LogConfig?.Type || "json-file";
  const options = given.LogConfig?.Config ?? {};
  checkLogOptions(type, options);
  const bounded = type !== "none" && !("max-size" in options) && !("max-file" in options);
  return { Type: type, Config: bounded ? { ...DEFAULT_LOG, ...options } : options };
}

/** Throws for a policy that Docker does not know or that contradicts itself. */
export function checkRestartPolicy(given: HostConfig): void {
  const name = given.RestartPolicy?.Name ?? "";
  const retries = given.RestartPolicy?.MaximumRetryCount ?? 0;
  if (!RESTART_POLICIES.has(name)) {
    throw invalid(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (name !== "on-failure" && retries !== 0) {
    throw invalid(
      name === ""
        ? "invalid restart policy: maximum retry count cannot be used with empty policy"
        : "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  }
  if (retries < 0) throw invalid("invalid restart policy: maximum retry count cannot be negative");
  if (given.AutoRemove && name !== "" && name !== "no") {
    throw invalid("can't create 'AutoRemove' container with restart policy");
  }
}

function checkModes(given: HostConfig): void {
  const runtime = given.Runtime ?? "";
  if (!RUNTIMES.has(runtime)) throw invalid(`unknown or invalid runtime name: ${runtime}`);
  checkMode("PID", given.PidMode, ["", "host"], true);
  checkMode("IPC", given.IpcMode, ["", "host", "none", "private", "shareable"], true);
  checkMode("UTS", given.UTSMode, ["", "host"], false);
  if (!["", "host"].includes(given.UsernsMode ?? "")) throw invalid("invalid user namespace mode");
  if (!["", "host", "private"].includes(given.CgroupnsMode ?? "")) {
    throw invalid(`invalid cgroup namespace mode: ${given.CgroupnsMode}`);
  }
  checkIsolation(given);
  if (given.ShmSize !== undefined && given.ShmSize < 0) throw invalid("SHM size can not be less than 0");
  const score = given.OomScoreAdj ?? 0;
  if (score < -1000 || score > 1000) {
    throw invalid(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  }
}

function checkMode(kind: string, mode: string | undefined, known: string[], container: boolean): void {
  if (known.includes(mode ?? "")) return;
  if (container && /^container:.+/.test(mode ?? "")) return;
  throw invalid(`invalid ${kind} mode: ${mode}`);
}
