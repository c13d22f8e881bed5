import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { invalid, system } from "../lib/errors.ts";
import type { Device, DeviceRule } from "./oci.ts";

/** The major number in a dev_t, as glibc's major(3). */
export const major = (rdev: number): number => {
  const device = BigInt(rdev);
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
};

/** The minor number in a dev_t, as glibc's minor(3). */
export const minor = (rdev: number): number => {
  const device = BigInt(rdev);
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
};

/** Devices for a spec and the cgroup rules that let them be opened. */
export interface DeviceGrant {
  devices: Device[];
  rules: DeviceRule[];
}

function deviceOf(stats: Stats, path: string): Device | null {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return null;
  return {
    type: stats.isBlockDevice() ? "b" : "c",
    path,
    major: major(stats.rdev),
    minor: minor(stats.rdev),
    fileMode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
  };
}

const ruleOf = (device: Device, access: string): DeviceRule => ({
  allow: true,
  type: device.type === "b" ? "b" : "c",
  major: device.major,
  minor: device.minor,
  access,
});

/** Follows a link only when it leads to something below /dev, as a link in /dev/disk/by-uuid does. */
function resolveLink(path: string): string {
  if (!lstatSync(path).isSymbolicLink()) return path;
  const target = realpathSync(path);
  return target.startsWith("/dev/") ? target : path;
}

function* nodesBelow(directory: string): Generator<{ path: string; stats: Stats }> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* nodesBelow(path);
    else yield { path, stats: lstatSync(path) };
  }
}

/**
 * What `--device HOST:CONTAINER:ACCESS` grants: one node, or every node below a directory. `access`
 * is some of "rwm". Throws with dockerd's text.
 */
export function grantDevice(hostPath: string, containerPath: string, access = "rwm"): DeviceGrant {
  const failed = (why: string) =>
    invalid(`error gathering device information while adding custom device "${hostPath}": ${why}`);
  let source: string;
  let stats: Stats;
  try {
    source = resolveLink(normalize(hostPath));
    stats = lstatSync(source);
  } catch (error) {
    throw failed(errorReason(error));
  }
  const device = deviceOf(stats, containerPath);
  if (device) return { devices: [device], rules: [ruleOf(device, access)] };
  if (!stats.isDirectory()) throw failed("not a device node");
  const devices: Device[] = [];
  for (const node of nodesBelow(source)) {
    const child = deviceOf(node.stats, containerPath + node.path.slice(source.length));
    if (child) devices.push(child);
  }
  if (devices.length === 0) throw failed("not a device node");
  return { devices, rules: devices.map((child) => ruleOf(child, access)) };
}

function errorReason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "no such file or directory";
  if (code === "ENOTDIR") return "not a directory";
  if (code === "EACCES") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}

/** Directories and nodes of /dev that belong to the container's own mounts, not to the host's hardware. */
const ownNames = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"]);

/** Every device node of the host, for --privileged. Symbolic links are left out. */
export function hostDevices(root = "/dev"): Device[] {
  const devices: Device[] = [];
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (ownNames.has(entry.name)) continue;
    const path = join(root, entry.name);
    const nodes = entry.isDirectory() ? nodesBelow(path) : [{ path, stats: lstatSync(path) }];
    for (const node of nodes) {
      const device = deviceOf(node.stats, node.path);
      if (device) devices.push(device);
    }
  }
  return devices;
}

/** A rule of --device-cgroup-rule, such as "c 10:* rwm" or "a". Throws with dockerd's text. */
export function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text === "a" ? "a *:* rwm" : text);
  if (!match) throw invalid(`invalid device cgroup rule format: '${text}'`);
  const number = (field: string | undefined) => (field === "*" ? undefined : Number(field));
  const type = match[1] === "a" || match[1] === "b" ? match[1] : "c";
  return { allow: true, type, major: number(match[2]), minor: number(match[3]), access: match[4] };
}

/** The block device behind a path, for I/O limits. Throws with dockerd's text. */
export function blockDevice(path: string): { major: number; minor: number } {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    throw system(`stat ${path}: ${errorReason(error)}`);
  }
  return { major: major(stats.rdev), minor: minor(stats.rdev) };
}
