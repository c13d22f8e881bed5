import { join } from "node:path";
import { invalid } from "../../lib/errors.ts";
import type { Resources } from "../oci.ts";
import { bindProgram, deviceProgram } from "./device-program.ts";
import { deviceWrites } from "./device-rules.ts";
import { hierarchyOf } from "./layout.ts";
import type { CgroupPlan, FileWrite } from "./plan.ts";
import type { CgroupHost } from "./support.ts";

/** The CPUs and memory nodes of a parent group: what a child gets that asks for only one of them. */
export interface ParentLists {
  cpus: string;
  mems: string;
}

/** Made for every container: they account, or they guard. The others wait until something needs them. */
export const accountingControllers: readonly string[] = ["memory", "cpuacct", "pids", "devices", "blkio"];

type Values = Map<string, string[]>;

/** Files in the order to write them, for one controller. */
const controllers: Record<
  string,
  (values: Values, resources: Resources, host: CgroupHost, parent: ParentLists) => void
> = {
  memory(values, { memory = {} }, { support }) {
    // A fresh group has no limits, so memory comes before memory+swap, which must not be smaller.
    if (memory.limit && memory.limit > 0) values.set("memory.limit_in_bytes", [`${memory.limit}`]);
    if (memory.swap && memory.swap > 0 && support.swap)
      values.set("memory.memsw.limit_in_bytes", [`${memory.swap}`]);
    if (memory.reservation && memory.reservation > 0)
      values.set("memory.soft_limit_in_bytes", [`${memory.reservation}`]);
    if (memory.swappiness !== undefined && memory.swappiness >= 0 && support.swappiness)
      values.set("memory.swappiness", [`${memory.swappiness}`]);
    if (memory.disableOOMKiller && support.oomKillDisable) values.set("memory.oom_control", ["1"]);
  },
  cpu(values, { cpu = {} }) {
    if (cpu.shares) values.set("cpu.shares", [`${cpu.shares}`]);
    if (cpu.period) values.set("cpu.cfs_period_us", [`${cpu.period}`]);
    if (cpu.quota) values.set("cpu.cfs_quota_us", [`${cpu.quota}`]);
    if (cpu.realtimePeriod) values.set("cpu.rt_period_us", [`${cpu.realtimePeriod}`]);
    if (cpu.realtimeRuntime) values.set("cpu.rt_runtime_us", [`${cpu.realtimeRuntime}`]);
  },
  cpuset(values, { cpu = {}, everywhere }, _host, parent) {
    if (!cpu.cpus && !cpu.mems && !everywhere) return;
    // A v1 group starts with neither and takes no process until it has both.
    values.set("cpuset.cpus", [cpu.cpus || parent.cpus]);
    values.set("cpuset.mems", [cpu.mems || parent.mems]);
  },
  pids(values, { pids }) {
    if (pids && pids.limit > 0) values.set("pids.max", [`${pids.limit}`]);
  },
  blkio(values, { blockIO = {} }, { support }) {
    // Which of the two names exists depends on the I/O scheduler the kernel was built with.
    const weight = (prefix: string) => `blkio.${prefix}weight`;
    if (blockIO.weight && support.blkioWeight)
      for (const prefix of ["", "bfq."]) values.set(weight(prefix), [`${blockIO.weight}`]);
    const perDevice = (blockIO.weightDevice ?? []).map((d) => `${d.major}:${d.minor} ${d.weight}`);
    if (perDevice.length > 0 && support.blkioWeightDevice)
      for (const prefix of ["", "bfq."]) values.set(`${weight(prefix)}_device`, perDevice);
    for (const [file, limits] of [
      ["read_bps", blockIO.throttleReadBpsDevice],
      ["write_bps", blockIO.throttleWriteBpsDevice],
      ["read_iops", blockIO.throttleReadIOPSDevice],
      ["write_iops", blockIO.throttleWriteIOPSDevice],
    ] as const)
      if (limits && limits.length > 0)
        values.set(
          `blkio.throttle.${file}_device`,
          limits.map((limit) => `${limit.major}:${limit.minor} ${limit.rate}`),
        );
  },
};

/** What the given controller of v1 is told, as absolute writes below `directory`. */
export function writesV1(
  controller: string,
  directory: string,
  resources: Resources,
  host: CgroupHost,
  parent: ParentLists,
): FileWrite[] {
  if (controller === "devices") return deviceWrites(directory, resources.devices ?? []);
  const values: Values = new Map();
  controllers[controller]?.(values, resources, host, parent);
  return [...values].map(([file, written]) => ({
    path: join(directory, file),
    values: written,
    ...(file.includes("weight") ? { optional: true } : {}),
  }));
}

/** Writes of `resources.unified` into the v2 tree of a hybrid machine, if its controllers are there. */
export function unifiedWrites(host: CgroupHost, directory: string, resources: Resources): FileWrite[] {
  return Object.entries(resources.unified ?? {}).map(([file, value]) => {
    const controller = file.split(".", 1)[0] ?? "";
    if (file.includes("/") || file.startsWith("."))
      throw invalid(`unified resource "${file}" must be a file name (no slashes)`);
    const available = controller === "cgroup" || host.layout.unified?.controllers.includes(controller);
    if (!available)
      throw invalid(
        `unified resource "${file}" can't be set: controller "${controller}" not available in the cgroup v2 tree`,
      );
    return { path: join(directory, file), values: [value] };
  });
}

/** The program that guards devices where no v1 controller does, as on a kernel with cgroup_no_v1=devices. */
const deviceGuard = ({ layout }: CgroupHost, { devices }: Resources): Buffer | undefined =>
  layout.unified && devices && !hierarchyOf(layout, "devices") ? deviceProgram(devices) : undefined;

/** Whether a group in the v2 tree of a hybrid machine is needed too. Without such a tree low ports stay shut. */
export const usesUnified = (host: CgroupHost, resources: Resources): boolean =>
  Object.keys(resources.unified ?? {}).length > 0 ||
  ((resources.lowPorts === true || resources.everywhere === true) && host.layout.unified !== undefined) ||
  deviceGuard(host, resources) !== undefined;

export function planV1(
  host: CgroupHost,
  path: string,
  resources: Resources,
  parent: ParentLists,
): CgroupPlan {
  const plan: CgroupPlan = { dirs: [], writes: [], joins: [] };
  for (const hierarchy of host.layout.hierarchies) {
    const directory = join(hierarchy.mountpoint, path);
    const writes = hierarchy.controllers.flatMap((controller) =>
      writesV1(controller, directory, resources, host, parent),
    );
    const accounts = hierarchy.controllers.some((controller) => accountingControllers.includes(controller));
    if (!accounts && writes.length === 0 && !resources.everywhere) continue;
    plan.dirs.push(directory);
    plan.writes.push(...writes);
    plan.joins.push(join(directory, "tasks"));
  }
  if (usesUnified(host, resources)) {
    const directory = join(host.layout.unified?.mountpoint ?? "/", path);
    if (resources.lowPorts) plan.lowPorts = { dir: directory, program: bindProgram() };
    const program = deviceGuard(host, resources);
    if (program) plan.deviceFilter = { dir: directory, program };
    plan.writes.push(...unifiedWrites(host, directory, resources));
    plan.dirs.push(directory);
    plan.cloneInto = directory;
  }
  return plan;
}
