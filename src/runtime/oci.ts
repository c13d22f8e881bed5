/**
 * The part of the OCI runtime specification (config.json, version 1.2) that Berth uses.
 * Names and meanings are the specification's.
 */
export interface Spec {
  ociVersion: string;
  root: { path: string; readonly: boolean };
  hostname?: string;
  domainname?: string;
  process: Process;
  mounts: Mount[];
  linux: Linux;
  annotations?: Record<string, string>;
}

export interface Process {
  terminal: boolean;
  consoleSize?: { height: number; width: number };
  cwd: string;
  env: string[];
  args: string[];
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] };
  rlimits?: Rlimit[];
  capabilities?: Capabilities;
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
}

export interface Rlimit {
  type: string;
  soft: number;
  hard: number;
}

export interface Capabilities {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
}

export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
  /** Of the source, resolved without leaving it, whatever links it has. Not in the specification. */
  subpath?: string;
  /**
   * Directories relative to the data root, two or more, topmost first, that are shown as one read-only tree.
   * Not in the specification.
   */
  layers?: string[];
  /** What a bind mount's source is, when it is known without looking, or not there yet. */
  sourceType?: "file" | "directory";
  /** The mount namespace that a bind mount's source is looked up in, when not the daemon's. */
  sourceNamespace?: string;
  /** Set when this mount needs ids mapped otherwise than the container's own mapping. */
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

export interface Namespace {
  type: NamespaceType;
  /** An existing namespace to join, e.g. /proc/123/ns/net; without it a new one is made. */
  path?: string;
}

export interface Linux {
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  devices?: Device[];
  cgroupsPath?: string;
  resources?: Resources;
  rootfsPropagation?: string;
  seccomp?: Seccomp;
  sysctl?: Record<string, string>;
  maskedPaths?: string[];
  readonlyPaths?: string[];
}

export interface Device {
  type: "c" | "b" | "p" | "u";
  path: string;
  major: number;
  minor: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface DeviceRule {
  allow: boolean;
  type?: "a" | "c" | "b";
  major?: number;
  minor?: number;
  access?: string;
}

export interface ThrottleDevice {
  major: number;
  minor: number;
  rate: number;
}

export interface Resources {
  devices?: DeviceRule[];
  memory?: {
    limit?: number;
    reservation?: number;
    swap?: number;
    kernel?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
  };
  cpu?: {
    shares?: number;
    quota?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
  };
  pids?: { limit: number };
  blockIO?: {
    weight?: number;
    weightDevice?: { major: number; minor: number; weight: number }[];
    throttleReadBpsDevice?: ThrottleDevice[];
    throttleWriteBpsDevice?: ThrottleDevice[];
    throttleReadIOPSDevice?: ThrottleDevice[];
    throttleWriteIOPSDevice?: ThrottleDevice[];
  };
  unified?: Record<string, string>;
  /** Ports below 1024 of a network that belongs to another user namespace. Not in the specification. */
  lowPorts?: boolean;
  /** A group in every hierarchy, also where nothing is limited: the container may write there. Not in the specification. */
  everywhere?: boolean;
}

export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  syscalls?: SeccompRule[];
}

export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  /** Values a number cannot hold exactly are decimal text. */
  args?: { index: number; value: number | string; valueTwo?: number | string; op: string }[];
}
