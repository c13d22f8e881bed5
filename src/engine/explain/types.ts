import type { IdMapLine, MountLine } from "../../lib/proc.ts";
import type { PlanView } from "../../runtime/types.ts";

/** How a container would be launched: the plan's steps in order. */
export interface LaunchExplanation extends PlanView {
  image: string;
  command: string[];
  /** With --isolation=hyperv. The steps then are those of the sandbox that holds the machine. */
  machine?: MachineExplanation;
}

export interface MachineExplanation {
  /** Bytes. */
  memory: number;
  cpus: number;
  kernel: string;
  accelerator: string;
  /** "type 2" or "hardware-backed". */
  type: string;
  /** What it would go on from; null when it would boot. */
  template: string | null;
  /** The programs in the sandbox. */
  hypervisor: string[];
  fileServer: string[];
  /** Devices that a machine which goes on from a template is given before that. */
  plugged: string[];
  /** What is done in the guest for the container's process. */
  inside: PlanView["steps"];
}

/** A running container as the kernel shows it. */
export interface ContainerExplanation {
  id: string;
  name: string;
  image: string;
  command: string[];
  status: string;
  /** The programs of its virtual machine; the rest then is of the sandbox that holds them. */
  machine?: { programs: string[][] };
  /** Of its first process, on the host. */
  pid: number;
  /** The same in its own PID namespace. */
  pidInside: number;
  /** Its ids on the host. */
  user: { uid: number; gid: number; groups: number[] };
  /** `own`: another one than the daemon's; ids are inodes of /proc/PID/ns. */
  namespaces: { type: string; id: string; host: string; own: boolean }[];
  ids: { uid: IdMapLine[]; gid: IdMapLine[] };
  /** `controllers` is empty for the v2 group. */
  cgroups: { controllers: string[]; directory: string; files: { name: string; value: string }[] }[];
  mounts: MountLine[];
  capabilities: {
    bounding: string[];
    permitted: string[];
    effective: string[];
    inheritable: string[];
    ambient: string[];
  };
  seccomp: { mode: "disabled" | "strict" | "filter"; filters: number };
  noNewPrivileges: boolean;
  oomScoreAdj: number;
  limits: { name: string; soft: string; hard: string }[];
}
