import { isAbsolute, posix } from "node:path";
import type { ContainerConfig, HostConfig, Mount } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import type { VolumeRequest } from "../../volume/types.ts";
import type { MountRecord } from "../record.ts";
import { isBindMode, parseBindMode } from "./bind-mode.ts";
import { checkMount, targetProblem } from "./check.ts";
import { checkTmpfsOptions, tmpfsOptions } from "./tmpfs-options.ts";

/** A mount that is wanted: what will be recorded and, for a volume, which. */
export interface WantedMount {
  record: MountRecord;
  volume?: VolumeRequest;
  /** What the image has at the place is copied into the volume when that is empty. */
  copyUp?: boolean;
}

/**
 * All mounts that a container asks for: of other containers, `-v`, `--mount` and the image's VOLUMEs,
 * each at most once per place. Touches nothing. Throws INVALID_PARAMETER with dockerd's texts.
 */
export function wantedMounts(
  hostConfig: HostConfig,
  config: ContainerConfig,
  mountsOf: (container: string) => readonly MountRecord[],
): WantedMount[] {
  const wanted = new Map<string, WantedMount>();
  const place = ({ record: { Destination = "" } }: WantedMount): string => Destination;
  const tmpfs = checkTmpfs(hostConfig.Tmpfs ?? {});

  for (const specification of hostConfig.VolumesFrom ?? []) {
    for (const mount of inherited(specification, mountsOf)) wanted.set(place(mount), mount);
  }
  // These take the place of another container's, but not of each other.
  const taken = new Set(tmpfs);
  const claim = (mount: WantedMount): void => {
    if (taken.has(place(mount))) throw invalid(`Duplicate mount point: ${place(mount)}`);
    taken.add(place(mount));
    wanted.set(place(mount), mount);
  };
  for (const bind of hostConfig.Binds ?? []) claim(parseBind(bind, hostConfig.VolumeDriver ?? ""));
  for (const mount of hostConfig.Mounts ?? []) claim(apiMount(mount));
  for (const path of Object.keys(config.Volumes ?? {})) {
    // An image may name it without the slash.
    const destination = clean(`/${path}`);
    const problem = targetProblem(destination);
    if (problem) throw invalid(problem);
    if (wanted.has(destination) || taken.has(destination)) continue;
    wanted.set(
      destination,
      volumeMount({ destination, mode: "", request: { driver: hostConfig.VolumeDriver } }),
    );
  }
  return [...wanted.values()];
}

function checkTmpfs(tmpfs: Record<string, string>): string[] {
  return Object.entries(tmpfs).map(([path, options]) => {
    const problem = targetProblem(path);
    if (problem) throw invalid(problem);
    checkTmpfsOptions(options);
    return clean(path);
  });
}

const clean = (path: string): string => posix.normalize(path).replace(/(?<=.)\/$/, "");

/** `--volumes-from container[:mode]` */
function inherited(
  specification: string,
  mountsOf: (container: string) => readonly MountRecord[],
): WantedMount[] {
  if (specification === "") throw invalid("volumes-from specification cannot be an empty string");
  const colon = specification.indexOf(":");
  const name = colon < 0 ? specification : specification.slice(0, colon);
  const mode = colon < 0 ? "" : specification.slice(colon + 1);
  const { readOnly, propagation, noCopy } = parseBindMode(mode);
  if (propagation !== "" || noCopy) throw invalid(`invalid mode: ${mode}`);
  return mountsOf(name).map((mount) => ({
    record: { ...mount, Mode: mode, RW: (mount.RW ?? true) && !readOnly },
    ...(mount.Type === "volume" ? { volume: { name: mount.Name } } : {}),
  }));
}

/** `-v [source:]destination[:mode]`: a bind when the source is a path, otherwise a volume. */
function parseBind(raw: string, driver: string): WantedMount {
  const wrong = `invalid volume specification: '${raw}'`;
  const parts = raw.split(":");
  const [first = "", second = "", mode = ""] = parts;
  if (parts.length > 3 || first === "") throw invalid(wrong);
  if (parts.length === 2 && isBindMode(second)) throw invalid(wrong);
  const { readOnly, propagation, noCopy } = parseBindMode(mode);
  const [source, target] = parts.length === 1 ? ["", first] : [first, second];
  const bind = isAbsolute(source);
  try {
    checkMount(
      {
        Type: bind ? "bind" : "volume",
        Source: source,
        Target: target,
        ReadOnly: readOnly,
        ...(propagation === "" ? {} : { BindOptions: { Propagation: propagation as "rprivate" } }),
        ...(noCopy ? { VolumeOptions: { NoCopy: true } } : {}),
      },
      false,
    );
  } catch (error) {
    throw invalid(`${wrong}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const destination = clean(target);
  if (!bind) {
    const request = { name: source, driver };
    return volumeMount({ destination, mode: mode || "z", readOnly, noCopy, request });
  }
  return {
    record: {
      Type: "bind",
      Source: clean(source),
      Destination: destination,
      Mode: mode,
      RW: !readOnly,
      Propagation: propagation || "rprivate",
      createSource: true,
    },
  };
}

/** `--mount` */
function apiMount(mount: Mount): WantedMount {
  checkMount(mount, true);
  const destination = clean(mount.Target ?? "");
  const readOnly = mount.ReadOnly ?? false;
  if (mount.Type === "volume") {
    const { Labels, DriverConfig, NoCopy, Subpath } = mount.VolumeOptions ?? {};
    const request = {
      name: mount.Source,
      driver: DriverConfig?.Name,
      labels: Labels,
      options: DriverConfig?.Options,
    };
    return volumeMount({ destination, mode: "z", readOnly, noCopy: NoCopy, subpath: Subpath, request });
  }
  if (mount.Type === "image") {
    const { Subpath } = mount.ImageOptions ?? {};
    return {
      record: {
        Type: "image",
        Name: mount.Source,
        Source: "",
        Destination: destination,
        Mode: "",
        RW: false,
        Propagation: "",
        ...(Subpath ? { subpath: Subpath } : {}),
      },
    };
  }
  const common = { Destination: destination, Mode: "", RW: !readOnly };
  if (mount.Type === "tmpfs") {
    const options = tmpfsOptions(readOnly, mount.TmpfsOptions);
    return { record: { Type: "tmpfs", Source: "", ...common, Propagation: "", options } };
  }
  const { Propagation, NonRecursive, ReadOnlyNonRecursive, CreateMountpoint } = mount.BindOptions ?? {};
  const options = [NonRecursive ? "bind" : "rbind", ...(readOnly && ReadOnlyNonRecursive ? ["norro"] : [])];
  return {
    record: {
      Type: "bind",
      Source: clean(mount.Source ?? ""),
      ...common,
      Propagation: Propagation || "rprivate",
      options,
      ...(CreateMountpoint ? { createSource: true } : {}),
    },
  };
}

function volumeMount(wish: {
  destination: string;
  mode: string;
  readOnly?: boolean;
  noCopy?: boolean;
  subpath?: string;
  request: VolumeRequest;
}): WantedMount {
  const { destination, mode, readOnly = false, noCopy = false, subpath, request } = wish;
  return {
    record: {
      Type: "volume",
      Name: request.name ?? "",
      Source: "",
      Destination: destination,
      Driver: "local",
      Mode: mode,
      RW: !readOnly,
      Propagation: "",
      ...(subpath ? { subpath } : {}),
      ...(request.name ? {} : { anonymous: true }),
    },
    volume: request,
    copyUp: !noCopy && !subpath,
  };
}
