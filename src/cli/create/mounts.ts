import { resolve } from "node:path";
import type { Mount } from "@docker/node-sdk";
import { CliError } from "../errors.ts";
import { parseBool, parseBytes } from "../flags/values.ts";
import { parseCsv } from "./csv.ts";

/** Checks a `--mount` value as it is read; throws an Error. */
export function checkMount(value: string): string {
  parseMount(value);
  return value;
}

/** Reads `type=bind,source=/a,target=/b,readonly`. Throws an Error with docker's reason. */
export function parseMount(value: string): Mount {
  const mount: Mount = { Type: "volume" };
  if (value === "") throw new Error("EOF");
  for (const field of parseCsv(value)) applyField(mount, field);
  if (!mount.Type) throw new Error("type is required");
  if (!mount.Target) throw new Error("target is required");
  const { Type, VolumeOptions, BindOptions, ImageOptions, TmpfsOptions } = mount;
  for (const [options, type] of [
    [VolumeOptions, "volume"],
    [BindOptions, "bind"],
    [ImageOptions, "image"],
    [TmpfsOptions, "tmpfs"],
  ] as const)
    if (options && Type !== type) throw new Error(`cannot mix '${type}-*' options with mount type '${Type}'`);
  return mount;
}

/** Options that may stand alone, for true. */
const switches = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"];

function applyField(mount: Mount, field: string): void {
  const equals = field.indexOf("=");
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
  if (equals < 0 && !switches.includes(key))
    throw new Error(`invalid field '${field}' must be a key=value pair`);
  const value = equals < 0 ? "true" : field.slice(equals + 1);
  const flag = (): boolean => {
    try {
      return parseBool(value);
    } catch {
      throw new Error(`invalid value for ${key}: ${value}`);
    }
  };
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase() as Mount["Type"];
      return;
    case "source":
    case "src":
      // A path relative to here means nothing to the daemon.
      mount.Source =
        value === "." || value.startsWith("./") || value.startsWith("../") || value === ".."
          ? resolve(value)
          : value;
      return;
    case "target":
    case "dst":
    case "destination":
      mount.Target = value;
      return;
    case "readonly":
    case "ro":
      mount.ReadOnly = flag();
      return;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      return;
    case "bind-propagation":
      mount.BindOptions = { ...mount.BindOptions, Propagation: value.toLowerCase() as "private" };
      return;
    case "bind-nonrecursive":
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: flag() };
      return;
    case "bind-create-src":
      mount.BindOptions = { ...mount.BindOptions, CreateMountpoint: flag() };
      return;
    case "bind-recursive":
      mount.BindOptions = { ...mount.BindOptions, ...recursion(value) };
      return;
    case "volume-subpath":
      mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: value };
      return;
    case "volume-nocopy":
      mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: flag() };
      return;
    case "volume-label":
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        Labels: { ...mount.VolumeOptions?.Labels, ...pair(value) },
      };
      return;
    case "volume-driver":
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: value },
      };
      return;
    case "volume-opt": {
      const { DriverConfig } = mount.VolumeOptions ?? {};
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...DriverConfig, Options: { ...DriverConfig?.Options, ...pair(value) } },
      };
      return;
    }
    case "image-subpath":
      mount.ImageOptions = { ...mount.ImageOptions, Subpath: value };
      return;
    case "tmpfs-size":
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size(key, value) };
      return;
    case "tmpfs-mode":
      if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return;
    default:
      throw new Error(`unexpected key '${key}' in '${field}'`);
  }
}

function recursion(value: string): NonNullable<Mount["BindOptions"]> {
  switch (value) {
    case "enabled":
      return {};
    case "disabled":
      return { NonRecursive: true };
    case "writable":
      return { ReadOnlyNonRecursive: true };
    case "readonly":
      return { ReadOnlyForceRecursive: true };
    default:
      throw new Error(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function pair(text: string): Record<string, string> {
  const equals = text.indexOf("=");
  return equals < 0 ? { [text]: "" } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}

function size(key: string, value: string): number {
  try {
    return parseBytes(value);
  } catch {
    throw new Error(`invalid value for ${key}: ${value}`);
  }
}

/** Volumes of `-v`: those with a source are binds, the others anonymous volumes. */
export function parseVolumes(specs: readonly string[]): { binds: string[]; volumes: Record<string, object> } {
  // The same one twice is one, as with docker's.
  const binds = new Set<string>();
  const volumes: Record<string, object> = {};
  for (const spec of specs) {
    if (spec === "") throw new CliError("invalid empty volume spec");
    const colon = spec.indexOf(":");
    if (colon < 0) {
      volumes[spec] = {};
      continue;
    }
    const source = spec.slice(0, colon);
    if (source === "" && spec.length > 1)
      throw new CliError(`invalid spec: ${spec}: empty section between colons`);
    if (source === "") volumes[spec] = {};
    else binds.add((source.startsWith(".") ? resolve(source) : source) + spec.slice(colon));
  }
  return { binds: [...binds], volumes };
}
