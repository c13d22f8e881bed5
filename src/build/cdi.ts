import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig, Mount } from "@docker/node-sdk";
import { system } from "../lib/errors.ts";

/** Where specifications of devices are, what is said last counts: https://github.com/cncf-tags/container-device-interface */
export const cdiDirectories: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

/** A device that a specification gives a name. */
export interface CdiDevice {
  /** vendor/class=name */
  name: string;
  /** Whether builds may have it without being allowed to. */
  autoAllow: boolean;
  class: string | undefined;
  edits: Edits[];
}

/** What is done to a container that gets the device. */
interface Edits {
  env?: string[];
  deviceNodes?: { path: string; hostPath?: string; permissions?: string }[];
  mounts?: { hostPath: string; containerPath: string; options?: string[] }[];
  hooks?: object[];
  additionalGids?: number[];
}

interface Specification {
  kind: string;
  annotations?: Record<string, string>;
  containerEdits?: Edits;
  devices: { name: string; annotations?: Record<string, string>; containerEdits?: Edits }[];
}

const classAnnotation = "org.mobyproject.buildkit.device.class";
const allowAnnotation = "org.mobyproject.buildkit.device.autoallow";

/** The devices that a name means: `vendor/class` is the first of them, `=*` all, a word alone those of a class. */
export function findDevices(directories: readonly string[], name: string): CdiDevice[] {
  const all = directories.flatMap(readDirectory);
  const [kind = "", wanted] = name.split("=", 2);
  const last = new Map(all.map((device) => [device.name, device]));
  const devices = [...last.values()];
  const ofKind = devices.filter((device) => device.name.startsWith(`${kind}=`));
  if (wanted === "*") return ofKind;
  if (wanted !== undefined) return ofKind.filter((device) => device.name === name);
  if (kind.includes("/")) return ofKind.slice(0, 1);
  return devices.filter((device) => device.class === kind);
}

function readDirectory(directory: string): CdiDevice[] {
  return entriesOf(directory)
    .filter((entry) => entry.endsWith(".json"))
    .sort()
    .flatMap((entry) => devicesOf(readSpecification(join(directory, entry))));
}

/** Specifications that cannot be read here: only JSON is. */
export const unreadable = (directories: readonly string[]): string[] =>
  directories.flatMap((directory) =>
    entriesOf(directory).flatMap((entry) => (/\.ya?ml$/.test(entry) ? join(directory, entry) : [])),
  );

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function readSpecification(path: string): Specification {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw system(
      `cannot read the devices of ${path}: ${error instanceof Error ? error.message : error}`,
      error,
    );
  }
  if (!isSpecification(value))
    throw system(`cannot read the devices of ${path}: kind or devices are missing`);
  return value;
}

/** As far as it is used; the administrator of this machine wrote it. */
const isSpecification = (value: unknown): value is Specification =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  typeof value.kind === "string" &&
  "devices" in value &&
  Array.isArray(value.devices);

function devicesOf({ kind, annotations = {}, containerEdits, devices }: Specification): CdiDevice[] {
  return devices.map((device) => {
    const all = { ...annotations, ...device.annotations };
    return {
      name: `${kind}=${device.name}`,
      autoAllow: all[allowAnnotation] === "true",
      class: all[classAnnotation],
      edits: [containerEdits, device.containerEdits].filter((edits) => edits !== undefined),
    };
  });
}

/** What a container is asked for to have these devices. Throws SYSTEM for what no step can have. */
export function cdiConfig(devices: readonly CdiDevice[]): {
  env: string[];
  host: Pick<HostConfig, "Devices" | "GroupAdd">;
  mounts: Mount[];
} {
  const hooked = devices.find(({ edits }) => edits.some(({ hooks = [] }) => hooks.length > 0));
  if (hooked) throw system(`the device ${hooked.name} needs hooks, which steps do not run`);
  // What several have in common is done once.
  const edits = [
    ...new Set(devices.flatMap((device) => device.edits.map((edit) => JSON.stringify(edit)))),
  ].map((text): Edits => JSON.parse(text));
  return {
    env: edits.flatMap(({ env = [] }) => env),
    host: {
      Devices: edits.flatMap(({ deviceNodes = [] }) =>
        deviceNodes.map(({ path, hostPath = path, permissions = "rwm" }) => ({
          PathOnHost: hostPath,
          PathInContainer: path,
          CgroupPermissions: permissions,
        })),
      ),
      GroupAdd: edits.flatMap(({ additionalGids = [] }) => additionalGids.map(String)),
    },
    mounts: edits.flatMap(({ mounts = [] }) =>
      mounts.map(({ hostPath, containerPath, options = [] }) => ({
        Type: "bind" as const,
        Source: hostPath,
        Target: containerPath,
        ReadOnly: options.includes("ro"),
      })),
    ),
  };
}
