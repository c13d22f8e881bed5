import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type CgroupLayout, detectLayout, hierarchyOf, type UnifiedTree } from "./layout.ts";

/** What the kernel's mounted controllers can do, in the terms of Docker's options. */
export interface CgroupSupport {
  memory: boolean;
  swap: boolean;
  memoryReservation: boolean;
  oomKillDisable: boolean;
  swappiness: boolean;
  cpuShares: boolean;
  cpuCfs: boolean;
  cpuRealtime: boolean;
  cpuset: boolean;
  /** CPUs and memory nodes that can be asked for, as lists such as "0-3,7". */
  cpus: string;
  mems: string;
  /** How many CPUs the machine has. */
  cpuCount: number;
  blkioWeight: boolean;
  blkioWeightDevice: boolean;
  /** A block device is scheduled by BFQ: weights of single devices are its. */
  bfq: boolean;
  blkioThrottle: boolean;
  pids: boolean;
  devices: boolean;
}

/** The machine's control groups: how they are mounted and what they can do. Detected once. */
export interface CgroupHost {
  layout: CgroupLayout;
  support: CgroupSupport;
}

const readList = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");

/** The I/O schedulers of every block device, as "none [mq-deadline] bfq": the one in use, and those that could be. */
function schedulers(): string {
  const blocks = existsSync("/sys/block") ? readdirSync("/sys/block") : [];
  return blocks.map((name) => readList(`/sys/block/${name}/queue/scheduler`)).join("\n");
}

function supportV1(layout: CgroupLayout): CgroupSupport {
  const has = (controller: string, file: string): boolean => {
    const hierarchy = hierarchyOf(layout, controller);
    return hierarchy !== undefined && existsSync(join(hierarchy.mountpoint, hierarchy.own, file));
  };
  const cpuset = hierarchyOf(layout, "cpuset");
  const bfq = schedulers().includes("[bfq]");
  const cpusetDirectory = cpuset && join(cpuset.mountpoint, cpuset.own);
  return {
    memory: has("memory", "memory.limit_in_bytes"),
    swap: has("memory", "memory.memsw.limit_in_bytes"),
    memoryReservation: has("memory", "memory.soft_limit_in_bytes"),
    oomKillDisable: has("memory", "memory.oom_control"),
    swappiness: has("memory", "memory.swappiness"),
    cpuShares: has("cpu", "cpu.shares"),
    cpuCfs: has("cpu", "cpu.cfs_quota_us"),
    cpuRealtime: has("cpu", "cpu.rt_runtime_us"),
    cpuset: cpuset !== undefined,
    cpus: cpusetDirectory ? readList(join(cpusetDirectory, "cpuset.effective_cpus")) : "",
    mems: cpusetDirectory ? readList(join(cpusetDirectory, "cpuset.effective_mems")) : "",
    cpuCount: cpus().length,
    // The root has no weight of BFQ's, but its accounting shows that groups below have one.
    blkioWeight: has("blkio", "blkio.weight") || has("blkio", "blkio.bfq.io_service_bytes"),
    blkioWeightDevice: has("blkio", "blkio.weight_device") || bfq,
    bfq,
    blkioThrottle: has("blkio", "blkio.throttle.read_bps_device"),
    pids: hierarchyOf(layout, "pids") !== undefined,
    devices: hierarchyOf(layout, "devices") !== undefined,
  };
}

/** The root has no memory.swap.max, so the daemon's own group is asked, or whether the kernel has swap at all. */
function countsSwap(tree: UnifiedTree | undefined): boolean {
  const own = join(tree?.mountpoint ?? "", tree?.own ?? "");
  return existsSync(join(own, "memory.max"))
    ? existsSync(join(own, "memory.swap.max"))
    : existsSync("/proc/swaps");
}

function supportV2(layout: CgroupLayout): CgroupSupport {
  const tree = layout.unified;
  const has = (controller: string) => tree?.controllers.includes(controller) ?? false;
  const available = has("io") ? schedulers() : "";
  const bfq = available.includes("[bfq]");
  // The root has no io.weight, but the settings of the cost model that gives it effect.
  const cost = has("io") && existsSync(join(tree?.mountpoint ?? "", "io.cost.qos"));
  const list = (file: string) => (tree ? readList(join(tree.mountpoint, file)) : "");
  return {
    memory: has("memory"),
    swap: has("memory") && countsSwap(tree),
    memoryReservation: has("memory"),
    oomKillDisable: false,
    swappiness: false,
    cpuShares: has("cpu"),
    cpuCfs: has("cpu"),
    cpuRealtime: false,
    cpuset: has("cpuset"),
    cpus: list("cpuset.cpus.effective"),
    mems: list("cpuset.mems.effective"),
    cpuCount: cpus().length,
    blkioWeight: available.includes("bfq") || cost,
    // A device takes one when its scheduler or the cost model is switched on.
    blkioWeightDevice: bfq || (cost && list("io.cost.qos").includes("enable=1")),
    bfq,
    blkioThrottle: has("io"),
    pids: has("pids"),
    devices: tree !== undefined,
  };
}

/** What the controllers of a layout can do; reads a few files of the mounted trees. */
export function detectSupport(layout: CgroupLayout): CgroupSupport {
  return layout.mode === "v2" ? supportV2(layout) : supportV1(layout);
}

/** The control groups of this machine. Call once and keep. */
export function detectCgroups(): CgroupHost {
  const layout = detectLayout();
  return { layout, support: detectSupport(layout) };
}
