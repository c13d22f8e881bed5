import type { ExecConfig, HostConfig } from "@docker/node-sdk";
import type { Attachment, LogLine, LogsOptions } from "../types.ts";

/** What makes a machine. Sizes in bytes. */
export interface MachineRequest {
  /** Either an image, whose own init the guest runs… */
  Image?: string;
  /** …or a disk to boot from, an absolute path on the daemon's host. It is copied. */
  Disk?: string;
  /** 512 MB by default. */
  Memory?: number;
  /** 1 by default. */
  Cpus?: number;
  /** 10 GB for an image, the disk's own by default. */
  DiskSize?: number;
  RestartPolicy?: HostConfig["RestartPolicy"];
  /** A network's name, "bridge" by default, or "none". */
  Network?: string;
  PortBindings?: HostConfig["PortBindings"];
  Labels?: Record<string, string>;
}

/** A container's machine that was booted up to where it waits, for others to go on from. */
export interface MachineTemplate {
  Name: string;
  Created: string;
  /** Of the machines that it is for. */
  Memory: number;
  Cpus: number;
  Kernel: string;
  /** Bytes on disk. */
  Size: number;
}

export interface MachineSnapshot {
  Name: string;
  Created: string;
  /** Bytes of memory in it; 0 when it holds the disk alone. */
  Memory: number;
}

export interface MachineSummary {
  Id: string;
  Name: string;
  /** A whole machine, or the machine of a container. */
  Kind: "machine" | "container";
  Created: string;
  /** The image or disk it was made from. */
  Source: string;
  Status: string;
  /** What is allotted. */
  Memory: number;
  Cpus: number;
  DiskSize: number;
  /** What is used: by the hypervisor and in it by the guest, in bytes; of one processor since the start, in seconds. */
  MemoryUsed: number;
  CpuSeconds: number;
  DiskUsed: number;
  Addresses: string[];
}

export interface MachineDetails extends MachineSummary {
  State: {
    Status: string;
    Running: boolean;
    Pid: number;
    ExitCode: number;
    /** Why it ended, or did not start. */
    Error: string;
    StartedAt: string;
    FinishedAt: string;
    RestartCount: number;
    /** The hypervisor's word for what the guest does. */
    Guest: string;
  };
  Hypervisor: { Program: string; Accelerator: string; Type: string; Chipset: string; Kernel: string };
  /** Bytes that the guest has now, without what was taken back from it; null when its driver does not tell. */
  GuestMemory: number | null;
  RestartPolicy: HostConfig["RestartPolicy"];
  Network: string;
  Ports: HostConfig["PortBindings"];
  Paths: { Disk: string; Control: string; Log: string; Cgroup: string };
  /** The host's user that the hypervisor is. */
  User: number | null;
  Snapshots: MachineSnapshot[];
}

/** Whole machines: everything under /berth/machines. `ref` is a name, an id or a unique beginning of one. */
export interface Machines {
  create(name: string, request: MachineRequest): Promise<{ Id: string }>;
  list(): Promise<MachineSummary[]>;
  inspect(ref: string): Promise<MachineDetails>;
  /** Throws NOT_MODIFIED when it runs already. */
  start(ref: string): Promise<void>;
  /** Asks the guest to end, and ends it after the timeout in seconds (60 by default) or at once when it is 0. */
  stop(ref: string, options?: { timeout?: number }): Promise<void>;
  restart(ref: string, options?: { timeout?: number }): Promise<void>;
  remove(ref: string, options?: { force?: boolean }): Promise<void>;
  /** The serial console. */
  console(ref: string): Promise<Attachment>;
  /** A program to run beside the system's init; started and asked for as other execs are. */
  exec(ref: string, config: ExecConfig): Promise<{ Id: string }>;
  /** What was written to the serial console. */
  logs(ref: string, options: LogsOptions, signal?: AbortSignal): Promise<AsyncIterable<LogLine>>;
  /** For containers with --isolation=hyperv: one for each size of their machines. */
  templates(): Promise<MachineTemplate[]>;
  /** The size of a container without --memory and --cpus by default. */
  createTemplate(size: { Memory?: number; Cpus?: number }): Promise<MachineTemplate>;
  removeTemplate(name: string): Promise<void>;
  snapshots(ref: string): Promise<MachineSnapshot[]>;
  createSnapshot(ref: string, name: string): Promise<void>;
  restoreSnapshot(ref: string, name: string): Promise<void>;
  removeSnapshot(ref: string, name: string): Promise<void>;
}
