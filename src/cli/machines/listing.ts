import type { Listing } from "../format/rows.ts";
import { bytesSize, shortId, timeAgo } from "../format/units.ts";
import type { MachineSnapshot, MachineSummary, MachineTemplate } from "./types.ts";

/** "used / allotted", or what is allotted alone while it does not run. */
const share = (used: number, allotted: number): string =>
  used > 0 ? `${bytesSize(used)} / ${bytesSize(allotted)}` : bytesSize(allotted);

const ago = (created: string): string => timeAgo(Date.parse(created) / 1000);

/** The columns of `vm ls`. */
export const machineListing: Listing<MachineSummary> = {
  typeName: "machineContext",
  table:
    "{{.Name}}\t{{.Kind}}\t{{.Source}}\t{{.Status}}\t{{.Cpus}}\t{{.CpuTime}}\t{{.Memory}}\t{{.Disk}}\t{{.Address}}",
  quiet: "{{.Name}}",
  columns: {
    ID: { header: "MACHINE ID", value: ({ Id }) => shortId(Id) },
    Name: { header: "NAME", value: ({ Name }) => Name },
    Kind: { header: "KIND", value: ({ Kind }) => Kind },
    Source: { header: "SYSTEM", value: ({ Source }) => Source },
    Status: { header: "STATUS", value: ({ Status }) => Status },
    Cpus: { header: "CPUS", value: ({ Cpus }) => Cpus },
    CpuTime: { header: "CPU TIME", value: ({ CpuSeconds }) => `${CpuSeconds.toFixed(1)}s` },
    Memory: { header: "MEMORY", value: ({ MemoryUsed, Memory }) => share(MemoryUsed, Memory) },
    Disk: {
      header: "DISK",
      value: ({ DiskUsed, DiskSize }) => (DiskSize > 0 ? share(DiskUsed, DiskSize) : ""),
    },
    Address: { header: "ADDRESS", value: ({ Addresses }) => Addresses.join(", ") },
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => Created },
    RunningFor: { header: "CREATED", value: ({ Created }) => ago(Created) },
  },
};

/** The columns of `vm snapshot ls`. */
export const snapshotListing: Listing<MachineSnapshot> = {
  typeName: "snapshotContext",
  table: "{{.Name}}\t{{.RunningFor}}\t{{.Memory}}",
  quiet: "{{.Name}}",
  columns: {
    Name: { header: "SNAPSHOT", value: ({ Name }) => Name },
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => Created },
    RunningFor: { header: "CREATED", value: ({ Created }) => ago(Created) },
    Memory: { header: "MEMORY", value: ({ Memory }) => (Memory > 0 ? bytesSize(Memory) : "disk only") },
  },
};

/** The columns of `vm template ls`. */
export const templateListing: Listing<MachineTemplate> = {
  typeName: "templateContext",
  table: "{{.Name}}\t{{.Cpus}}\t{{.Memory}}\t{{.Kernel}}\t{{.RunningFor}}\t{{.Size}}",
  quiet: "{{.Name}}",
  columns: {
    Name: { header: "TEMPLATE", value: ({ Name }) => Name },
    Cpus: { header: "CPUS", value: ({ Cpus }) => Cpus },
    Memory: { header: "MEMORY", value: ({ Memory }) => bytesSize(Memory) },
    Kernel: { header: "KERNEL", value: ({ Kernel }) => Kernel },
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => Created },
    RunningFor: { header: "CREATED", value: ({ Created }) => ago(Created) },
    Size: { header: "SIZE", value: ({ Size }) => bytesSize(Size) },
  },
};
