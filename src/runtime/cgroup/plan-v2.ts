import { join } from "node:path";
import { invalid } from "../../lib/errors.ts";
import type { Resources } from "../oci.ts";
import { bindProgram, deviceProgram } from "./device-program.ts";
import type { CgroupPlan, FileWrite } from "./plan.ts";
import { unifiedWrites } from "./plan-v1.ts";
import type { CgroupHost } from "./support.ts";

/**
 * cpu.weight (1 to 10000) for v1 cpu.shares (2 to 262144): a curve in the logarithm that meets both
 * ends and maps each default to the other's, 1024 to 100.
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** io.weight (1 to 10000) for a v1 blkio weight (10 to 1000), linearly. */
export const blkioToIoWeight = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990);

function memoryWrites(memory: NonNullable<Resources["memory"]>, swapSupported: boolean): [string, string][] {
  const writes: [string, string][] = [];
  const { limit, swap, reservation } = memory;
  if (limit) writes.push(["memory.max", limit > 0 ? `${limit}` : "max"]);
  if (swap && swapSupported) {
    // v1 and Docker count memory and swap together, v2 apart.
    if (swap < 0) writes.push(["memory.swap.max", "max"]);
    else if (!limit || limit < 0) throw invalid("unable to set swap limit without memory limit");
    else writes.push(["memory.swap.max", `${swap - limit}`]);
  }
  if (reservation && reservation > 0) writes.push(["memory.low", `${reservation}`]);
  return writes;
}

function cpuWrites(cpu: NonNullable<Resources["cpu"]>): [string, string][] {
  const writes: [string, string][] = [];
  if (cpu.shares) writes.push(["cpu.weight", `${sharesToWeight(cpu.shares)}`]);
  if (cpu.quota || cpu.period) {
    const quota = cpu.quota && cpu.quota > 0 ? `${cpu.quota}` : "max";
    writes.push(["cpu.max", `${quota} ${cpu.period || 100000}`]);
  }
  if (cpu.cpus) writes.push(["cpuset.cpus", cpu.cpus]);
  if (cpu.mems) writes.push(["cpuset.mems", cpu.mems]);
  return writes;
}

function ioWrites(directory: string, io: NonNullable<Resources["blockIO"]>, bfq: boolean): FileWrite[] {
  const writes: FileWrite[] = [];
  const devices = io.weightDevice ?? [];
  if (io.weight) {
    writes.push({ path: join(directory, "io.bfq.weight"), values: [`${io.weight}`], optional: true });
    const weight = `default ${blkioToIoWeight(io.weight)}`;
    writes.push({ path: join(directory, "io.weight"), values: [weight], optional: true });
  }
  if (devices.length > 0) {
    // Each refuses devices that only the other knows.
    const [file, weight] = bfq
      ? (["io.bfq.weight", (value: number) => value] as const)
      : (["io.weight", blkioToIoWeight] as const);
    const values = devices.map((device) => `${device.major}:${device.minor} ${weight(device.weight)}`);
    writes.push({ path: join(directory, file), values });
  }
  const limits = [
    ["rbps", io.throttleReadBpsDevice],
    ["wbps", io.throttleWriteBpsDevice],
    ["riops", io.throttleReadIOPSDevice],
    ["wiops", io.throttleWriteIOPSDevice],
  ] as const;
  const values = limits.flatMap(([key, list]) =>
    (list ?? []).map((limit) => `${limit.major}:${limit.minor} ${key}=${limit.rate}`),
  );
  if (values.length > 0) writes.push({ path: join(directory, "io.max"), values });
  return writes;
}

/** What a v2 group is told; a controller the tree lacks is left out, as validation has warned. */
export function writesV2(host: CgroupHost, directory: string, resources: Resources): FileWrite[] {
  const has = (controller: string) => host.layout.unified?.controllers.includes(controller) ?? false;
  const pairs = [
    ...memoryWrites(resources.memory ?? {}, host.support.swap),
    ...cpuWrites(resources.cpu ?? {}),
    ...(resources.pids ? [["pids.max", resources.pids.limit > 0 ? `${resources.pids.limit}` : "max"]] : []),
  ] as [string, string][];
  return [
    ...pairs
      .filter(([file]) => has(file.split(".", 1)[0] ?? ""))
      .map(([file, value]) => ({ path: join(directory, file), values: [value] })),
    ...(has("io") ? ioWrites(directory, resources.blockIO ?? {}, host.support.bfq) : []),
    ...unifiedWrites(host, directory, resources),
  ];
}

export function planV2(host: CgroupHost, path: string, resources: Resources): CgroupPlan {
  const tree = host.layout.unified;
  if (!tree) return { dirs: [], writes: [], joins: [] };
  const directory = join(tree.mountpoint, path);
  const program = deviceProgram(resources.devices ?? []);
  return {
    dirs: [directory],
    writes: writesV2(host, directory, resources),
    joins: [],
    cloneInto: directory,
    ...(program ? { deviceFilter: { dir: directory, program } } : {}),
    ...(resources.lowPorts ? { lowPorts: { dir: directory, program: bindProgram() } } : {}),
  };
}
