import type { CapabilityName } from "./capabilities.ts";
import type { Device, DeviceRule, Mount, Namespace } from "./oci.ts";

/**
 * What Docker gives every container unless told otherwise, as data. The engine assembles a spec from
 * these pieces; nothing here looks at the machine.
 */

/** PATH of a container whose image sets none. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Bytes of /dev/shm without --shm-size. */
export const defaultShmSize = 67108864;

/** The 14 capabilities of a container that is neither privileged nor tuned, in Docker's order. */
export const defaultCapabilities: readonly CapabilityName[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** Covered by an empty file or directory; --security-opt systempaths=unconfined and --privileged lift it. */
export const maskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Bound over themselves read-only; lifted with the masked paths. */
export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** The namespaces made for every container, in Docker's order; user and cgroup ones are chosen per container. */
export const defaultNamespaces: readonly Namespace[] = [
  { type: "mount" },
  { type: "network" },
  { type: "uts" },
  { type: "pid" },
  { type: "ipc" },
];

/**
 * The mounts below every root filesystem, in the order they are made. `privileged` makes /sys and
 * /sys/fs/cgroup writable, `writableCgroups` only the latter; `shmSize` is in bytes.
 */
export function defaultMounts(
  options: { privileged?: boolean; writableCgroups?: boolean; shmSize?: number } = {},
): Mount[] {
  const guarded = ["nosuid", "noexec", "nodev"];
  const sys = options.privileged ? guarded : [...guarded, "ro"];
  const cgroup = options.privileged || options.writableCgroups ? guarded : ["ro", ...guarded];
  const shmSize = options.shmSize ?? defaultShmSize;
  return [
    { destination: "/proc", type: "proc", source: "proc", options: guarded },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: sys },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: cgroup },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: guarded },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...guarded, "mode=1777", `size=${shmSize}`],
    },
  ];
}

const character = (path: string, major: number, minor: number): Device => ({
  type: "c",
  path,
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** The device nodes every container has; /dev/console comes with a terminal, /dev/ptmx from devpts. */
export const defaultDevices: readonly Device[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

/** Symbolic links in /dev: [name, target]. */
export const deviceLinks: readonly (readonly [string, string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/core", "/proc/kcore"],
  ["/dev/ptmx", "pts/ptmx"],
];

const allowCharacter = (major: number, minor?: number): DeviceRule => ({
  allow: true,
  type: "c",
  major,
  minor,
  access: "rwm",
});

/**
 * Everything refused, then what the default devices, terminals and tun need; any node may be made
 * but not opened. The effective list of a Docker container.
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, type: "a", access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  allowCharacter(1, 3),
  allowCharacter(1, 5),
  allowCharacter(1, 7),
  allowCharacter(1, 8),
  allowCharacter(1, 9),
  allowCharacter(5, 0),
  allowCharacter(5, 1),
  allowCharacter(5, 2),
  allowCharacter(10, 200),
  allowCharacter(136),
];

/** Any device, for --privileged. */
export const privilegedDeviceRules: readonly DeviceRule[] = [{ allow: true, type: "a", access: "rwm" }];

/** Sysctls of a new network namespace: low ports and ping without capabilities, for all groups. */
export const defaultSysctls: Record<string, string> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};
