import type { IdMapLine, MountLine } from "../../lib/proc.ts";
import type { PlanView } from "../../runtime/types.ts";

/** How a container would be launched: the plan's steps in order. */
export interface LaunchExplanation extends PlanView {
  image: string;
  command: string[];
}

/** A running container as the kernel shows it. */
export interface ContainerExplanation {
  id: string;
  name: string;
  image: string;
  command: string[];
  status: string;
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
