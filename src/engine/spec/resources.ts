import { statSync } from "node:fs";
import type { HostConfig } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { defaultDeviceRules, defaultDevices, privilegedDeviceRules } from "../../runtime/defaults.ts";
import { grantDevice, hostDevices, major, minor } from "../../runtime/devices.ts";
import type { Device, DeviceRule, Resources, ThrottleDevice } from "../../runtime/oci.ts";

/** Limits of a container's cgroups; only what was asked for is set. */
export function cgroupResources(hostConfig: HostConfig, deviceRules: DeviceRule[]): Resources {
  return {
    devices: deviceRules,
    memory: compact({
      limit: hostConfig.Memory || undefined,
      reservation: hostConfig.MemoryReservation || undefined,
      swap: hostConfig.MemorySwap || undefined,
      swappiness: hostConfig.MemorySwappiness ?? undefined,
      disableOOMKiller: hostConfig.OomKillDisable || undefined,
    }),
    cpu: compact({
      shares: hostConfig.CpuShares || undefined,
      ...quota(hostConfig),
      realtimePeriod: hostConfig.CpuRealtimePeriod || undefined,
      realtimeRuntime: hostConfig.CpuRealtimeRuntime || undefined,
      cpus: hostConfig.CpusetCpus || undefined,
      mems: hostConfig.CpusetMems || undefined,
    }),
    ...(hostConfig.PidsLimit ? { pids: { limit: hostConfig.PidsLimit } } : {}),
    blockIO: compact({
      weight: hostConfig.BlkioWeight || undefined,
      weightDevice: hostConfig.BlkioWeightDevice?.length
        ? hostConfig.BlkioWeightDevice.map((device) => ({
            ...numbers(device.Path ?? ""),
            weight: device.Weight ?? 0,
          }))
        : undefined,
      throttleReadBpsDevice: throttles(hostConfig.BlkioDeviceReadBps),
      throttleWriteBpsDevice: throttles(hostConfig.BlkioDeviceWriteBps),
      throttleReadIOPSDevice: throttles(hostConfig.BlkioDeviceReadIOps),
      throttleWriteIOPSDevice: throttles(hostConfig.BlkioDeviceWriteIOps),
    }),
  };
}

const NANO_PERIOD = 100_000;

/** `--cpus` is a quota in a period of 100 ms. */
function quota(hostConfig: HostConfig): { quota?: number; period?: number } {
  if (hostConfig.NanoCpus) {
    return { period: NANO_PERIOD, quota: Math.trunc((hostConfig.NanoCpus * NANO_PERIOD) / 1e9) };
  }
  return { quota: hostConfig.CpuQuota || undefined, period: hostConfig.CpuPeriod || undefined };
}

function throttles(
  devices: { Path?: string; Rate?: number }[] | null | undefined,
): ThrottleDevice[] | undefined {
  if (!devices?.length) return undefined;
  return devices.map((device) => ({ ...numbers(device.Path ?? ""), rate: device.Rate ?? 0 }));
}

function numbers(path: string): { major: number; minor: number } {
  try {
    const { rdev } = statSync(path);
    return { major: major(rdev), minor: minor(rdev) };
  } catch (error) {
    throw invalid(`no such file or directory: ${path}`, error);
  }
}

const compact = <T extends object>(object: T): T | undefined => {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as T) : undefined;
};

/** Device nodes, and what the devices cgroup allows. */
export function devices(hostConfig: HostConfig): { devices: Device[]; rules: DeviceRule[] } {
  if (hostConfig.Privileged)
    return { devices: withDefaults(hostDevices()), rules: [...privilegedDeviceRules] };
  const rules = [...defaultDeviceRules];
  const nodes: Device[] = [...defaultDevices];
  for (const wish of hostConfig.Devices ?? []) {
    const host = wish.PathOnHost ?? "";
    const grant = grantDevice(host, wish.PathInContainer || host, wish.CgroupPermissions || "rwm");
    nodes.push(...grant.devices);
    rules.push(...grant.rules);
  }
  for (const rule of hostConfig.DeviceCgroupRules ?? []) rules.push(parseRule(rule));
  return { devices: nodes, rules };
}

const withDefaults = (nodes: Device[]): Device[] => {
  const paths = new Set(defaultDevices.map((device) => device.path));
  return [...defaultDevices, ...nodes.filter((device) => !paths.has(device.path))];
};

/** "c 1:3 rwm", with "*" for any number. */
function parseRule(rule: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  if (!match) throw invalid(`invalid device cgroup rule format: '${rule}'`);
  const [, type, majorText, minorText, access] = match;
  return {
    allow: true,
    type: type as "a" | "b" | "c",
    ...(majorText === "*" ? {} : { major: Number(majorText) }),
    ...(minorText === "*" ? {} : { minor: Number(minorText) }),
    access,
  };
}
