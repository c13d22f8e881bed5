import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { cpus, hostname, machine, release, totalmem } from "node:os";
import type { SystemInfo } from "@docker/node-sdk";
import { orNull } from "../../lib/or-null.ts";
import { timestamp } from "../../lib/time.ts";
import { berthVersion } from "../../lib/version.ts";
import type { CgroupSupport } from "../../runtime/cgroup/support.ts";
import type { EngineContext } from "../context.ts";
import { engineId } from "./engine-id.ts";

/** Magic numbers of statfs(2) by the names Docker gives the filesystems. */
const FILESYSTEMS: Record<number, string> = {
  61267: "extfs",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  4076150800: "f2fs",
};

/** /info: what `docker info` shows. */
export async function systemInfo(context: EngineContext): Promise<SystemInfo> {
  const { cgroups, state } = context;
  const { support } = cgroups;
  const system = osRelease();
  const info: SystemInfo = {
    ID: engineId(state.paths.root),
    ...countContainers(context),
    Images: (await context.images.list()).length,
    Driver: "overlay2",
    DriverStatus: [
      ["Backing Filesystem", FILESYSTEMS[statfsSync(state.paths.root).type] ?? "<unknown>"],
      ["Supports d_type", "true"],
      ["Using metacopy", "false"],
      ["Native Overlay Diff", "true"],
      ["userxattr", "true"],
    ],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "ipvlan", "macvlan", "null"],
      Authorization: orNull<[]>(null),
      Log: ["json-file", "local"],
    },
    MemoryLimit: support.memory,
    SwapLimit: support.swap,
    KernelMemoryTCP: false,
    CpuCfsPeriod: support.cpuCfs,
    CpuCfsQuota: support.cpuCfs,
    CPUShares: support.cpuShares,
    CPUSet: support.cpuset,
    PidsLimit: support.pids,
    OomKillDisable: support.oomKillDisable,
    IPv4Forwarding: readSwitch("/proc/sys/net/ipv4/ip_forward"),
    BridgeNfIptables: readSwitch("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    BridgeNfIp6tables: readSwitch("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
    Debug: context.log.level === "debug",
    NFd: readdirSync("/proc/self/fd").length,
    NGoroutines: process.getActiveResourcesInfo().length,
    SystemTime: timestamp(),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs" as SystemInfo["CgroupDriver"],
    CgroupVersion: (cgroups.layout.mode === "v2" ? "2" : "1") as SystemInfo["CgroupVersion"],
    NEventsListener: context.events.listeners,
    KernelVersion: release(),
    OperatingSystem: system.PRETTY_NAME ?? system.NAME ?? "Linux",
    OSVersion: system.VERSION_ID ?? "",
    OSType: "linux",
    Architecture: machine(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
      IndexConfigs: {
        "docker.io": { Name: "docker.io", Mirrors: [], Secure: true, Official: true },
      },
      Mirrors: [],
    },
    GenericResources: orNull<[]>(null),
    DockerRootDir: state.paths.root,
    HttpProxy: process.env.HTTP_PROXY ?? "",
    HttpsProxy: process.env.HTTPS_PROXY ?? "",
    NoProxy: process.env.NO_PROXY ?? "",
    Name: hostname(),
    Labels: hypervisor(context),
    ExperimentalBuild: false,
    ServerVersion: berthVersion,
    Runtimes: { "io.containerd.runc.v2": { path: "berth-launcher" }, runc: { path: "berth-launcher" } },
    DefaultRuntime: "runc",
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive" as NonNullable<SystemInfo["Swarm"]>["LocalNodeState"],
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: context.isolation as SystemInfo["Isolation"],
    InitBinary: "berth-init",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: "" },
    InitCommit: { ID: "" },
    SecurityOptions: ["name=seccomp,profile=builtin", "name=userns", "name=cgroupns"],
    CDISpecDirs: [],
  };
  info.Warnings = warnings(support, cgroups.layout.mode === "v2", info.IPv4Forwarding ?? false);
  return info;
}

/** What would run a container's virtual machine, and which type of hypervisor that makes it. */
function hypervisor({ machines }: EngineContext): string[] {
  const { name, type, description } = machines.accelerator();
  return [`hypervisor=QEMU (${type})`, `accelerator=${name} (${description})`];
}

function countContainers({ table }: EngineContext): Partial<SystemInfo> {
  const count = { running: 0, paused: 0, stopped: 0 };
  const containers = table.containers();
  for (const { status } of containers) {
    if (status === "running" || status === "paused") count[status]++;
    else count.stopped++;
  }
  return {
    Containers: containers.length,
    ContainersRunning: count.running,
    ContainersPaused: count.paused,
    ContainersStopped: count.stopped,
  };
}

/** What containers on this machine cannot be limited in, in dockerd's words. */
function warnings(support: CgroupSupport, v2: boolean, forwarding: boolean): string[] {
  const missing: [boolean, string][] = [
    [support.memory, "No memory limit support"],
    [support.swap, "No swap limit support"],
    [support.oomKillDisable || v2, "No oom kill disable support"],
    [support.cpuCfs, "No cpu cfs quota support"],
    [support.cpuCfs, "No cpu cfs period support"],
    [support.cpuShares, "No cpu shares support"],
    [support.cpuset, "No cpuset support"],
    [support.pids, "No pids limit support"],
    [support.blkioWeight || !v2, "No io.weight support"],
    [support.blkioWeightDevice || !v2, "No io.weight (per device) support"],
    [support.blkioThrottle || !v2, "No io.max (rbps) support"],
    [support.blkioThrottle || !v2, "No io.max (wbps) support"],
    [support.blkioThrottle || !v2, "No io.max (riops) support"],
    [support.blkioThrottle || !v2, "No io.max (wiops) support"],
    [forwarding, "IPv4 forwarding is disabled"],
  ];
  return missing.filter(([there]) => !there).map(([, what]) => `WARNING: ${what}`);
}

/** A file of /proc/sys that holds 0 or 1; false where the kernel has no such file. */
function readSwitch(path: string): boolean {
  return readText(path).trim() === "1";
}

/** os-release(5). */
function osRelease(): Record<string, string | undefined> {
  const text = readText("/etc/os-release") || readText("/usr/lib/os-release");
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+)=["']?(.*?)["']?$/.exec(line) ?? [];
    if (name && value !== undefined) fields[name] = value;
  }
  return fields;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
