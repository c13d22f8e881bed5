/** What GET /berth/cgroups answers: a group and all below it. Sizes in bytes. */
export interface GroupTree {
  path: string;
  controllers: string[];
  processes: number;
  limits: GroupLimits;
  usage: { memory?: number; cpuSeconds?: number; pids?: number };
  container?: string;
  ahead?: true;
  children: GroupTree[];
}

export interface GroupLimits {
  memory?: number;
  memorySwap?: number;
  memoryReservation?: number;
  cpus?: number;
  cpuShares?: number;
  cpuWeight?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  pids?: number;
}

/** What GET /berth/cgroups/{path}/json answers. */
export interface GroupDetails extends Omit<GroupTree, "children"> {
  directories: string[];
  members: { pid: number; command: string }[];
  children: string[];
}
