import { mapFields } from "../lib/api-maps.ts";

/** The fields that a request may leave out are among those that are always there: the whole order. */
const hostConfig = (
  "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom " +
  "ConsoleSize Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode " +
  "Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt Tmpfs " +
  "UTSMode UsernsMode ShmSize Sysctls Runtime Isolation CpuShares Memory NanoCpus CgroupParent BlkioWeight " +
  "BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod " +
  "CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests " +
  "MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent " +
  "IOMaximumIOps IOMaximumBandwidth Mounts MaskedPaths ReadonlyPaths Init"
).split(" ");
const position = new Map(hostConfig.map((name, index) => [name, index]));

const byPosition = (a: string, b: string): number =>
  (position.get(a) ?? hostConfig.length) - (position.get(b) ?? hostConfig.length);
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/**
 * An object in the order in which dockerd writes it, whatever order its maker had: maps by their keys, the host
 * configuration by its type. People compare what two hosts or two moments show.
 */
export function inGoOrder(value: unknown, name = "", parent = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => inGoOrder(item));
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const keys = Object.keys(value);
  if (name === "HostConfig") keys.sort(byPosition);
  else if (mapFields.has(name) || (name === "Config" && parent === "LogConfig")) keys.sort(byBytes);
  const fields = value as Record<string, unknown>;
  return Object.fromEntries(keys.map((key) => [key, inGoOrder(fields[key], key, name)]));
}
