import type { Duplex } from "node:stream";
import type { IdMapping, Process, Spec } from "./oci.ts";
import type { Plan } from "./plan/plan.ts";

/** How a process's standard streams are wired. */
export interface Stdio {
  tty: boolean;
  /** Keep stdin open for attached clients; otherwise the process reads /dev/null. */
  stdin: boolean;
  /** Close the process's stdin when the first attached client that sends input goes away. */
  stdinOnce: boolean;
  consoleSize?: { height: number; width: number };
  /**
   * How many attach connections the shim waits for (30 s at most) before it reads the first output
   * byte, so that a client that attaches at start misses nothing. 0 for detached starts.
   */
  waitForAttach: number;
}

/** What the shim writes the output to. Sizes in bytes; `maxSize` 0 means one file without end. */
export interface ShimLog {
  driver: "json-file" | "local" | "none";
  path: string;
  maxSize: number;
  maxFile: number;
  /** Written as `attrs` with each json-file line when set (Docker's labels/env log options). */
  attrs?: Record<string, string>;
}

/** Where the root filesystem comes from. All paths are absolute host paths below `dataRoot`. */
export interface RootfsSource {
  dataRoot: string;
  /** Read-only layer directories, topmost first; at least one. */
  lower: string[];
  /** A directory that holds `upper` and `work` on one filesystem; files there keep plain ids. */
  rw: string;
  /**
   * The writable layer is thrown away at exit (--rm): overlay then skips syncing the disk at unmount,
   * which otherwise comes with every exit. Then fsync(2) inside does nothing either.
   */
  volatile?: boolean;
  /** `rw` is the mount point of a file system of its own, which bounds what is written. */
  ownDisk?: boolean;
}

/** Netlink messages that furnish a new network namespace; src/network builds them. */
export interface NetworkSetup {
  /** It gets links of the host's: what is written for them has to wait for them. */
  linked: boolean;
  /** For nf_tables, sent on the host before the links are made. */
  rules: { message: Buffer; why: string }[];
  /** A shorter way to its published ports, without which the rules lead there. */
  directPorts?: DirectPortsSetup | undefined;
  /**
   * Sent on the host, with the namespace's descriptor written into the message at `descriptorAt`; -1 for
   * a message that has none.
   */
  host: { message: Buffer; descriptorAt: number; why: string }[];
  /**
   * Links of the host's that only carry what others send. IPv6 addresses of their own would cost each new one
   * a walk over those of all.
   */
  carriers: string[];
  /** Shorter ways than over the bridges, of which it can do without. */
  fastPaths: FastPathSetup[];
  /** Sent inside the namespace. */
  inside: { message: Buffer; why: string }[];
}

/** Entries of the map by which connections to published ports begin at the container; src/network makes them. */
export interface DirectPortsSetup {
  /** The map's id. */
  map: number;
  verb: "add" | "remove";
  entries: { key: Buffer; value: Buffer }[];
}

/** Links that get a network's program for their packets; src/network writes it. */
export interface FastPathSetup {
  /** The ids of the program and its map. */
  program: number;
  map: number;
  links: {
    name: string;
    /** rtnetlink messages: what the filter is added to, and the filter, which takes the program's descriptor. */
    classifier: Buffer;
    filter: { message: Buffer; descriptorAt: number };
    entries: { key: Buffer; value: Buffer }[];
  }[];
}

/**
 * A sandbox whose process is the supervisor of a virtual machine in which the container's own process runs:
 * `spec` is then the sandbox's, and its arguments are the supervisor's.
 */
export interface Enclosure {
  /** What of the host the sandbox sees, read-only. */
  tools: { source: string; path: string; directory: boolean }[];
  links: { target: string; path: string }[];
  /** A file and sockets in the shim's directory: descriptors 3, 4… of the supervisor. */
  log: string;
  sockets: string[];
  /** Links of the host to make for the machine; the descriptors that follow. */
  taps: string[];
  /** Files of the host with what a machine goes on from, to read: the last descriptors. */
  saved: string[];
  /** Directories that the guest mounts something on. */
  mountPoints: string[];
}

export interface ContainerLaunch {
  id: string;
  spec: Spec;
  rootfs: RootfsSource;
  stdio: Stdio;
  log: ShimLog;
  /** Run a small init as PID 1 that forwards signals and reaps (docker run --init). */
  init: boolean;
  /** For a network namespace of the container's own. */
  network?: NetworkSetup;
  /** Links of the host to make for a hypervisor: its descriptors 3 and on. `network` then is theirs. */
  taps?: string[];
  /** For a container in a virtual machine. */
  enclosure?: Enclosure;
}

/** The process of a container inside its virtual machine: the same but for where its root comes from. */
export type GuestLaunch = Omit<ContainerLaunch, "rootfs" | "log" | "network" | "taps" | "enclosure"> & {
  /** What the guest mounts its root by. */
  rootTag: string;
  /** Netlink messages that furnish the guest's links. */
  links: { message: Buffer; why: string }[];
};

export interface ExecLaunch {
  /** The exec's own id. */
  id: string;
  containerId: string;
  /** The container's init, on the host. */
  containerPid: number;
  /** Its start time (`Shim.startTime`), so that a later process with the same PID is not entered. */
  containerStartTime?: number;
  process: Process;
  stdio: Stdio;
  /** The container's seccomp profile, cgroup and mapping come from its spec. */
  spec: Spec;
}

export interface ExitStatus {
  /** Shell convention: 128 + signal for a killed process. */
  exitCode: number;
  signal: number | null;
  oomKilled: boolean;
  at: Date;
}

/** One connection to a shim's streams. Closing it detaches; the process goes on. */
export interface ShimAttachment {
  /** Frames in the order the process wrote them. With a tty everything is stdout. Ends with the process's output. */
  output: AsyncIterable<{ stream: "stdout" | "stderr"; data: Buffer }>;
  /** Resolves when the kernel took the bytes; rejects when stdin is closed. */
  write(data: Buffer): Promise<void>;
  closeStdin(): void;
  close(): void;
}

/** A running process (a container's init or an exec) under its shim, which outlives the daemon. */
export interface Shim {
  readonly id: string;
  /** The process's PID on the host. */
  readonly pid: number;
  /** Its start time, field 22 of /proc/PID/stat: with the PID it names the process for all time. */
  readonly startTime: number;
  /** Resolves once, also when the exit happened while no daemon ran. Rejects if the shim itself was killed. */
  readonly exited: Promise<ExitStatus>;
  attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<ShimAttachment>;
  resize(size: { height: number; width: number }): Promise<void>;
  /** kill(2) of the process, raced safely against its exit (pidfd): no error when it has just ended. */
  signal(signal: number): Promise<void>;
  /** Calls back at each OOM kill in the container's cgroup. */
  onOom(listener: () => void): void;
  /** Removes what the shim left on disk; after `exited`. */
  dispose(): Promise<void>;
}

/** What the engine asks of the runtime. One per daemon. */
export interface Runtime {
  /** Runs the launch plan up to exec. Rejects with a LaunchError that names the failing step. */
  start(launch: ContainerLaunch): Promise<Shim>;
  /**
   * Begins a launch that is not wanted yet, as far as it knows nothing of image, networks and host files;
   * resolves with whether it waits now. `start` of a launch with this id goes on from there when it begins
   * the same, and else from nothing.
   */
  prepare(launch: ContainerLaunch): Promise<boolean>;
  /**
   * Goes on with a launch that `prepare` began up to what needs links of the host's, or up to its exec. False
   * when that is not possible. Should it fail later, the start begins anew.
   */
  advance(launch: ContainerLaunch): boolean;
  /**
   * Connects to the streams of a launch that `advance` went on with, before it runs; null where there is none.
   * Resolves when its process runs, rejects when it was given up.
   */
  attachAhead(
    id: string,
    options: { stdin: boolean; stdout: boolean; stderr: boolean },
  ): Promise<ShimAttachment> | null;
  /** Undoes what `prepare` began, but for the control group; resolves when it is gone. */
  giveUp(id: string): Promise<void>;
  exec(launch: ExecLaunch): Promise<Shim>;
  /** Every shim whose directory is under the exec root: running ones and those that exited unseen. */
  adopt(): Promise<Shim[]>;
  /** The steps as text, for `berth explain`; touches nothing. */
  explain(launch: ContainerLaunch): Promise<PlanView>;
  /** Runs the host steps of a plan in a process of its own. Resolves with what its steps read. */
  run(plan: Plan): Promise<Buffer[]>;
  /**
   * As `run`; the descriptors that the plan does not close live as long as the launcher, in place of those of the
   * last such plan. `lost` is called when it died before the daemon.
   */
  keep(plan: Plan, lost: () => void): Promise<Buffer[]>;
  close(): Promise<void>;
}

/** A launch plan made readable. */
export interface PlanView {
  steps: { phase: "host" | "parent" | "child"; group: string; call: string; why: string }[];
}

/** The host ids that a container's user namespace uses, or null with --userns=host. */
export type IdRange = IdMapping | null;
export type { Duplex };
