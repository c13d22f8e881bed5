/** The answer of POST /berth/explain. */
export interface LaunchExplanation {
  image: string;
  command: string[];
  steps: Step[];
  machine?: {
    memory: number;
    cpus: number;
    kernel: string;
    accelerator: string;
    type: string;
    template: string | null;
    hypervisor: string[];
    fileServer: string[];
    plugged: string[];
    inside: Step[];
  };
}

interface Step {
  phase: string;
  group: string;
  call: string;
  why: string;
}

interface IdMapLine {
  inside: number;
  outside: number;
  size: number;
}

/** The answer of GET /berth/containers/{id}/explain. */
export interface ContainerExplanation {
  id: string;
  name: string;
  image: string;
  command: string[];
  status: string;
  machine?: { programs: string[][] };
  pid: number;
  pidInside: number;
  user: { uid: number; gid: number; groups: number[] };
  namespaces: { type: string; id: string; host: string; own: boolean }[];
  ids: { uid: IdMapLine[]; gid: IdMapLine[] };
  cgroups: { controllers: string[]; directory: string; files: { name: string; value: string }[] }[];
  mounts: {
    target: string;
    type: string;
    source: string;
    root: string;
    options: string[];
    propagation: string[];
  }[];
  capabilities: Record<"bounding" | "permitted" | "effective" | "inheritable" | "ambient", string[]>;
  seccomp: { mode: string; filters: number };
  noNewPrivileges: boolean;
  oomScoreAdj: number;
  limits: { name: string; soft: string; hard: string }[];
}
