import { join } from "node:path";
import type { ContainerInspectResponse, ContainerState, HostConfig, MountPoint } from "@docker/node-sdk";
import { orNull } from "../lib/or-null.ts";
import { ZERO_TIME } from "../lib/time.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";
import { logPath } from "./logs/options.ts";
import { networkFiles } from "./network/files.ts";
import { shownLinks } from "./network/links.ts";
import { networkSettings } from "./network/settings.ts";
import { type ContainerRecord, isActive, type MountRecord, type StateRecord } from "./record.ts";

/** A container as `docker inspect` shows it. */
export function inspectContainer(
  context: EngineContext,
  container: Container,
  sizes: { SizeRw: number; SizeRootFs: number } | null,
): ContainerInspectResponse {
  const { record } = container;
  const directory = containerDirectory(context, record.id);
  const files = networkFiles(context, record.id);
  const layers = context.images.layersOf(record.id);
  // Made at the first start.
  const file = (path: string): string => (record.state.startedAt === ZERO_TIME ? "" : path);
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: inspectState(record.state),
    Image: record.imageId,
    ResolvConfPath: file(files.resolvConf),
    HostnamePath: file(files.hostname),
    HostsPath: file(files.hosts),
    LogPath: file(logPath(record.hostConfig, directory, record.id)),
    Name: `/${record.name}`,
    RestartCount: record.state.restartCount,
    Driver: "overlay2",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: container.execIds.size > 0 ? [...container.execIds] : null,
    HostConfig: { ...record.hostConfig, ...linksOf(context, record) },
    GraphDriver: {
      Data: {
        LowerDir: layers.join(":"),
        MergedDir: "",
        UpperDir: join(directory, "rw", "upper"),
        WorkDir: join(directory, "rw", "work"),
      },
      Name: "overlay2",
    },
    ...sizes,
    Mounts: record.mounts.map(mountPoint),
    Config: record.config,
    NetworkSettings: networkSettings(context, container),
  };
}

/** Links as they are now; those of other networks are with their endpoints. */
function linksOf(context: EngineContext, record: ContainerRecord): HostConfig {
  if (record.hostConfig.NetworkMode !== "bridge") return {};
  const links = shownLinks(context, record);
  return { Links: orNull(links.length > 0 ? links : null) };
}

/** The public part of a mount's record. */
export function mountPoint(record: MountRecord): MountPoint {
  const {
    options: _options,
    subpath: _subpath,
    anonymous: _anonymous,
    createSource: _create,
    imageId: _image,
    layers: _layers,
    ...mount
  } = record;
  return mount;
}

export function inspectState(state: StateRecord): ContainerState {
  return {
    Status: state.status,
    // Docker counts a container between two runs as running.
    Running: isActive(state.status) || state.status === "restarting",
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: state.oomKilled,
    Dead: state.status === "dead",
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health ? { Health: state.health } : {}),
  };
}
