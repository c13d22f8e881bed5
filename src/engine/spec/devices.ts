import type { HostConfig } from "@docker/node-sdk";
import { defaultDeviceRules, defaultDevices, privilegedDeviceRules } from "../../runtime/defaults.ts";
import { grantDevice, hostDevices, parseDeviceRule } from "../../runtime/devices.ts";
import type { Device, DeviceRule } from "../../runtime/oci.ts";

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
  for (const rule of hostConfig.DeviceCgroupRules ?? []) rules.push(parseDeviceRule(rule));
  return { devices: nodes, rules };
}

const withDefaults = (nodes: Device[]): Device[] => {
  const paths = new Set(defaultDevices.map((device) => device.path));
  return [...defaultDevices, ...nodes.filter((device) => !paths.has(device.path))];
};
