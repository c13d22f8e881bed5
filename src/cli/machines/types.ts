/** A machine in the daemon's list; sizes in bytes. */
export interface MachineSummary {
  Id: string;
  Name: string;
  Kind: "machine" | "container";
  Created: string;
  Source: string;
  Status: string;
  Memory: number;
  Cpus: number;
  DiskSize: number;
  MemoryUsed: number;
  CpuSeconds: number;
  DiskUsed: number;
  Addresses: string[];
}

export interface MachineSnapshot {
  Name: string;
  Created: string;
  Memory: number;
}

export interface MachineTemplate {
  Name: string;
  Created: string;
  Memory: number;
  Cpus: number;
  Kernel: string;
  Size: number;
}

export const machinePath = (name: string): string => `/berth/machines/${encodeURIComponent(name)}`;
