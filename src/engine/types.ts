import type { Readable } from "node:stream";
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerPruneResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  EndpointSettings,
  EventMessage,
  ExecConfig,
  ExecInspectResponse,
  FilesystemChange,
  NetworkCreateRequest,
  NetworkInspect,
  NetworkPruneResponse,
  SystemDataUsageResponse,
  SystemInfo,
  SystemVersion,
} from "@docker/node-sdk";
import type { DefaultBridgeOptions } from "../network/default-bridge.ts";
import type { GroupDetails, GroupTree } from "../runtime/cgroup/tree.ts";
import type { ResourceOptions } from "../runtime/cgroup/validate.ts";
import type { ContainerExplanation, LaunchExplanation } from "./explain/types.ts";
import type { NetworkDefaults } from "./network/defaults.ts";

export type { GroupDetails, GroupTree } from "../runtime/cgroup/tree.ts";
export type { ResourceOptions } from "../runtime/cgroup/validate.ts";
export type { Volumes } from "../volume/types.ts";
export type { ContainerExplanation, LaunchExplanation } from "./explain/types.ts";

/** Docker's filters: a name and the values asked for, e.g. { status: ["running"] }. */
export type Filters = Record<string, string[]>;

export interface Size {
  height: number;
  width: number;
}

export interface ListOptions {
  all?: boolean;
  /** The newest N, whatever their state; 0 or absent for no limit. */
  limit?: number;
  size?: boolean;
  filters?: Filters;
}

export interface StopOptions {
  /** Name or number; the container's own stop signal by default. */
  signal?: string;
  /** Seconds until SIGKILL; -1 waits for ever; the container's own, else 10, by default. */
  timeout?: number;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface LogsOptions {
  stdout: boolean;
  stderr: boolean;
  follow?: boolean;
  since?: Date;
  until?: Date;
  /** The last N lines; all by default. */
  tail?: number;
}

export interface LogLine {
  stream: "stdout" | "stderr";
  time: Date;
  /** RFC 3339 with nanoseconds, as logged. */
  timestamp: string;
  /** With its line end, or without for a part of a long line. */
  line: Buffer;
  attrs?: Record<string, string>;
}

export interface AttachOptions {
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  /** Replay the log first. */
  logs?: boolean;
  /** Go on with the live streams. */
  stream?: boolean;
}

/** A client's hold on a process's streams: of a container or of an exec. */
export interface Attachment {
  tty: boolean;
  output: AsyncIterable<{ stream: "stdout" | "stderr"; data: Buffer }>;
  write(data: Buffer): Promise<void>;
  closeStdin(): void;
  /** Detaches; the process goes on. */
  close(): void;
}

export interface ExecStartOptions {
  detach?: boolean;
  tty?: boolean;
  consoleSize?: Size;
  stdin?: boolean;
}

export interface EventsOptions {
  since?: Date;
  until?: Date;
  filters?: Filters;
}

export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits, as Docker's X-Docker-Container-Path-Stat header has them. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

export interface CommitOptions {
  repo?: string;
  tag?: string;
  comment?: string;
  author?: string;
  /** Freeze a running container meanwhile; true by default. */
  pause?: boolean;
  /** Dockerfile instructions that change the image's configuration. */
  changes?: string[];
  /** What is set here goes before what the container has. */
  config?: ContainerConfig;
}

export interface PutArchiveOptions {
  noOverwriteDirNonDir?: boolean;
  copyUidGid?: boolean;
}

/**
 * Containers: everything under /containers of the Docker Engine API. `ref` is a name, an id or a
 * unique prefix of an id.
 */
export interface Containers {
  create(
    request: ContainerCreateRequest,
    options?: { name?: string; platform?: string },
  ): Promise<ContainerCreateResponse>;
  list(options?: ListOptions): Promise<ContainerSummary[]>;
  inspect(ref: string, options?: { size?: boolean }): Promise<ContainerInspectResponse>;
  /** Throws NOT_MODIFIED when it runs already. */
  start(ref: string): Promise<void>;
  /** Throws NOT_MODIFIED when it is stopped already. */
  stop(ref: string, options?: StopOptions): Promise<void>;
  restart(ref: string, options?: StopOptions): Promise<void>;
  kill(ref: string, signal?: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  update(ref: string, request: ContainerUpdateRequest): Promise<ContainerUpdateResponse>;
  /**
   * Resolves as soon as the wait is registered, with a promise of the outcome, so that the API can
   * send its headers then; rejects at once when there is no such container.
   */
  wait(
    ref: string,
    condition?: WaitCondition,
    signal?: AbortSignal,
  ): Promise<{ done: Promise<ContainerWaitResponse> }>;
  remove(ref: string, options?: { force?: boolean; volumes?: boolean; link?: boolean }): Promise<void>;
  prune(filters?: Filters): Promise<ContainerPruneResponse>;
  /** The tty flag tells the API whether to multiplex. */
  logs(
    ref: string,
    options: LogsOptions,
    signal?: AbortSignal,
  ): Promise<{ tty: boolean; lines: AsyncIterable<LogLine> }>;
  /** Resolves at once. On a created container the streams wait for the start: who attaches first misses nothing. */
  attach(ref: string, options: AttachOptions): Promise<Attachment>;
  resize(ref: string, size: Size): Promise<void>;
  top(ref: string, psArgs?: string): Promise<ContainerTopResponse>;
  stats(
    ref: string,
    options?: { stream?: boolean; oneShot?: boolean },
    signal?: AbortSignal,
  ): Promise<AsyncIterable<ContainerStatsResponse>>;
  changes(ref: string): Promise<FilesystemChange[]>;
  /** Makes an image of the container's own layer above those of its image. */
  commit(ref: string, options?: CommitOptions): Promise<{ Id: string }>;
  /** The root filesystem as a tar stream. */
  export(ref: string): Promise<Readable>;
  statPath(ref: string, path: string): Promise<PathStat>;
  getArchive(ref: string, path: string): Promise<{ stat: PathStat; tar: Readable }>;
  putArchive(ref: string, path: string, tar: Readable, options?: PutArchiveOptions): Promise<void>;
}

/** Further processes in running containers: /exec of the Docker Engine API. */
export interface Execs {
  create(containerRef: string, config: ExecConfig): Promise<{ Id: string }>;
  /** Resolves when the process runs; `null` with `detach`. */
  start(id: string, options?: ExecStartOptions): Promise<Attachment | null>;
  inspect(id: string): Promise<ExecInspectResponse>;
  resize(id: string, size: Size): Promise<void>;
}

/** Looking without touching: /berth/explain. */
export interface Explains {
  /** The system calls by which a container would be launched, in their order; makes nothing. */
  launch(request: ContainerCreateRequest): Promise<LaunchExplanation>;
  /** A running container as the kernel shows it. Throws CONFLICT when it does not run. */
  container(ref: string): Promise<ContainerExplanation>;
}

/** Control groups, with or without containers: /berth/cgroups. Paths are "/a/b"; limits are Docker's. */
export interface Cgroups {
  /** The groups from a path down, the root by default. */
  tree(path?: string): Promise<GroupTree>;
  inspect(path: string): Promise<GroupDetails>;
  create(path: string, limits: ResourceOptions): Promise<{ Path: string; Warnings: string[] }>;
  /** Changes the limits that are given; -1 lifts one. */
  update(path: string, limits: ResourceOptions): Promise<{ Warnings: string[] }>;
  /** Moves running processes into a group. */
  put(path: string, pids: readonly number[]): Promise<void>;
  /** `force` kills what is in it and below. */
  remove(path: string, options?: { force?: boolean }): Promise<void>;
}

/** Networks: everything under /networks of the Docker Engine API. `ref` is a name, an id or the beginning of one. */
export interface Networks {
  /** Without the containers in them. */
  list(filters?: Filters): Promise<NetworkInspect[]>;
  inspect(ref: string): Promise<NetworkInspect>;
  create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }>;
  /** A running container gets a link more; others get it at their next start. */
  connect(ref: string, container: string, wish?: EndpointSettings): Promise<void>;
  disconnect(ref: string, container: string, options?: { force?: boolean }): Promise<void>;
  /** Throws FORBIDDEN while running containers are in it. */
  remove(ref: string): Promise<void>;
  /** Removes those that no running container is in. */
  prune(filters?: Filters): Promise<NetworkPruneResponse>;
  /** Loads the packet filter's rules anew, after somebody flushed them. */
  repair(): Promise<void>;
}

/** The engine as a whole: /info, /version, /events, /system/df. */
export interface System {
  info(): Promise<SystemInfo>;
  version(): Promise<SystemVersion>;
  diskUsage(types?: string[]): Promise<SystemDataUsageResponse>;
  events(options?: EventsOptions, signal?: AbortSignal): AsyncIterable<EventMessage>;
}

export interface EngineOptions {
  /** Default /var/lib/berth. One owner at a time. */
  dataRoot?: string;
  /** Default /run/berth. Sockets and shims; need not survive a reboot. */
  execRoot?: string;
  /**
   * A JSON file that tells how registries are reached: `mirrors` by registry, `insecure` hosts,
   * directories of `certificates`. Default /etc/berth/registries.json; need not exist.
   */
  registries?: string;
  /** How containers are isolated that do not say. */
  isolation?: "default" | "hyperv";
  /** A kernel for virtual machines, named vmlinuz-VERSION; by default the newest that is found. */
  guestKernel?: string;
  /**
   * Whether a container that had to boot its virtual machine makes a template in the background, from which further
   * ones of its size start at once. Default true.
   */
  guestTemplates?: boolean;
  /**
   * Where networks that do not name a subnet get one, each as "base=10.0.0.0/8,size=24". Default: the
   * pools that Docker has, in 172.16.0.0/12 and 192.168.0.0/16.
   */
  addressPools?: string[];
  /** What the default network is to be, in terms of dockerd's flags. */
  defaultBridge?: DefaultBridgeOptions;
  /** What containers and networks have that do not say otherwise. */
  networks?: NetworkDefaults;
}
