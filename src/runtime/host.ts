import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { BerthError } from "../lib/errors.ts";
import { type CapabilityName, capabilitiesOf } from "./capabilities.ts";
import { errnoOf } from "./cgroup/files.ts";
import { availableControllers, type CgroupLayout, detectLayout } from "./cgroup/layout.ts";
import { kernelAtLeast } from "./machine.ts";

/** What decides whether containers can run here. */
export interface HostFacts {
  uid: number;
  /** As uname -r has it. */
  kernel: string;
  /** This process's effective capabilities. */
  capabilities: readonly CapabilityName[];
  overlay: boolean;
  /** The most user namespaces that may be; 0 also when the kernel has none. */
  userNamespaces: number;
  seccomp: boolean;
  cgroups: CgroupLayout;
}

export interface HostReport {
  /** Without these no container can run; each says how to get it. */
  obstacles: string[];
  /** What containers will lack. */
  remarks: string[];
}

const oldest = [5, 15] as const;
const neededControllers: [string, string][] = [
  ["memory", "boot with cgroup_enable=memory"],
  ["cpu", "CONFIG_CGROUP_SCHED"],
  ["cpuset", "CONFIG_CPUSETS"],
  ["pids", "CONFIG_CGROUP_PIDS"],
];

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** The facts of this machine; a few small files of /proc. */
export function hostFacts(): HostFacts {
  const kernel = release();
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status"))?.[1] ?? "0";
  return {
    uid: process.getuid?.() ?? 0,
    kernel,
    capabilities: capabilitiesOf(BigInt(`0x${effective}`)),
    // The kernel loads the module itself when something is mounted.
    overlay:
      /^nodev\toverlay$/m.test(read("/proc/filesystems")) ||
      existsSync(`/lib/modules/${kernel}/kernel/fs/overlayfs`),
    userNamespaces: Number(read("/proc/sys/user/max_user_namespaces").trim() || 0),
    seccomp: read("/proc/sys/kernel/seccomp/actions_avail").includes("errno"),
    cgroups: detectLayout(),
  };
}

function obstaclesOf(facts: HostFacts): string[] {
  const obstacles: string[] = [];
  if (facts.uid !== 0) obstacles.push("it is not run by root: use sudo");
  else if (!facts.capabilities.includes("CAP_SYS_ADMIN"))
    obstacles.push(
      "root lacks CAP_SYS_ADMIN here: run Berth on the host, or in a container that is --privileged",
    );
  if (!kernelAtLeast(...oldest, facts.kernel))
    obstacles.push(
      `Linux ${facts.kernel} is too old: upgrade to ${oldest.join(".")} or newer, which Debian 12 and Ubuntu 22.04 have`,
    );
  if (!facts.overlay)
    obstacles.push("the kernel has no overlay filesystem: modprobe overlay, or one with CONFIG_OVERLAY_FS");
  const { hierarchies, unified } = facts.cgroups;
  if (hierarchies.length === 0 && !unified)
    obstacles.push("no control groups are mounted: mount -t cgroup2 none /sys/fs/cgroup");
  return obstacles;
}

function remarksOf(facts: HostFacts): string[] {
  const remarks: string[] = [];
  if (!kernelAtLeast(5, 19, facts.kernel))
    remarks.push("containers share the host's user ids: ids of their own need Linux 5.19 or newer");
  else if (facts.userNamespaces === 0)
    remarks.push(
      "user namespaces are disabled: sysctl user.max_user_namespaces=15000, or run containers with --userns=host",
    );
  if (!facts.seccomp)
    remarks.push(
      "the kernel cannot filter system calls (CONFIG_SECCOMP_FILTER): containers need --security-opt seccomp=unconfined",
    );
  const controllers = availableControllers(facts.cgroups);
  for (const [name, how] of neededControllers)
    if (!controllers.includes(name))
      remarks.push(`the ${name} controller is missing, its limits are ignored: ${how}`);
  if (!facts.capabilities.includes("CAP_SYS_RESOURCE"))
    remarks.push(
      "without CAP_SYS_RESOURCE hard limits cannot be raised: --ulimit goes as far as this process's own",
    );
  return remarks;
}

/** What of the facts keeps containers from running, and what they will lack. */
export const examineHost = (facts: HostFacts): HostReport => ({
  obstacles: obstaclesOf(facts),
  remarks: remarksOf(facts),
});

/** Throws UNAVAILABLE when no container can run here, with all that is missing and how to get it; returns remarks. */
export function requireFitHost(facts: HostFacts = hostFacts()): string[] {
  const { obstacles, remarks } = examineHost(facts);
  if (obstacles.length === 0) return remarks;
  throw new BerthError(
    "UNAVAILABLE",
    obstacles.length === 1
      ? `Berth cannot run containers here: ${obstacles[0]}`
      : `Berth cannot run containers here:\n${obstacles.map((obstacle) => `  - ${obstacle}`).join("\n")}`,
  );
}
