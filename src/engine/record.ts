import type { ContainerConfig, Health, HostConfig, MountPoint, NetworkingConfig } from "@docker/node-sdk";
import { ZERO_TIME } from "../lib/time.ts";
import type { Endpoint, PublishedPorts } from "../network/types.ts";
import type { MachineState } from "./isolation/types.ts";
import type { MachineRecord } from "./machines/record.ts";

export type Status = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

/** What a container has in its networks while it runs. */
export interface NetworkState {
  /** In the order of its links: eth0, eth1… */
  endpoints: Endpoint[];
  /** Id of the endpoint that leads out; empty without one. Published ports lead to its address. */
  gateway: string;
  ports: PublishedPorts[];
}

export const noNetwork = (): NetworkState => ({ endpoints: [], gateway: "", ports: [] });

/** Where a container is in its life. Persisted with every transition. */
export interface StateRecord {
  status: Status;
  pid: number;
  exitCode: number;
  oomKilled: boolean;
  error: string;
  startedAt: string;
  finishedAt: string;
  restartCount: number;
  /** Stopped by a user: restart policies leave it alone until it is started again. */
  stoppedByUser: boolean;
  /** Which block of host ids its user namespace uses while it runs; null on the host's own ids. */
  idRange: number | null;
  health: Health | null;
  /** It was running and is paused only while it is committed. */
  pausedToCommit?: true;
  /** Null without networks, and while it does not run. */
  network?: NetworkState | null;
  /** Of a container in a virtual machine, while it runs. */
  machine?: MachineState | null;
}

/** A volume or bind as it will be mounted, resolved when the container was created. */
export interface MountRecord extends MountPoint {
  /** Mount options beyond read-only and propagation: a tmpfs's own, or how far a bind reaches. */
  options?: string[];
  /** What of the volume is mounted, when not all of it. */
  subpath?: string;
  /** Made for this container alone, so removed with it on `rm -v`. */
  anonymous?: boolean;
  /** Which image is shown. */
  imageId?: string;
  /** Its layers at the last start, topmost first and relative to the data root; what the subpath is in them. */
  layers?: { paths: string[]; kind: "file" | "directory" };
  /** A bind's source is made at the start when it is missing. */
  createSource?: boolean;
}

/** Another container that is known under a name of this one's own. */
export interface LinkRecord {
  id: string;
  alias: string;
}

/** All that is kept of a container; one JSON document in the database. */
export interface ContainerRecord {
  id: string;
  /** Without Docker's leading slash. */
  name: string;
  created: string;
  /** The image's id, and as the user wrote it in config.Image. */
  imageId: string;
  path: string;
  args: string[];
  config: ContainerConfig;
  hostConfig: HostConfig;
  networking: NetworkingConfig;
  mounts: MountRecord[];
  /** Of `--link`, on the default bridge. */
  links?: LinkRecord[];
  /** Below which cgroup its own is made; recorded so that a later change of defaults orphans nothing. */
  cgroupPath: string;
  /** A step of a build: of no use without the one who waits for it. */
  step?: boolean;
  /** A whole machine: not among the containers that Docker's API shows. */
  machine?: MachineRecord;
  state: StateRecord;
}

export const initialState = (): StateRecord => ({
  status: "created",
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: "",
  startedAt: ZERO_TIME,
  finishedAt: ZERO_TIME,
  restartCount: 0,
  stoppedByUser: false,
  idRange: null,
  health: null,
  network: null,
});

/** Whether a process exists: running, paused, or between two runs under a restart policy. */
export const isActive = (status: Status): boolean => status === "running" || status === "paused";
