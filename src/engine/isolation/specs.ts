import type { HostConfig } from "@docker/node-sdk";
import { defaultDevices } from "../../runtime/defaults.ts";
import { guestGroup } from "../../runtime/guest/runtime.ts";
import type { Device, Namespace, NamespaceType, Resources, Seccomp, Spec } from "../../runtime/oci.ts";
import { machineSize } from "./isolation.ts";

/** What QEMU and virtiofsd need beside the guest's memory, at most. */
const overhead = 160 << 20;

/** What the supervisor and virtiofsd do on the container's behalf with its files; QEMU has none. */
const supervisorCapabilities = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

const fresh = (...types: NamespaceType[]): Namespace[] => types.map((type) => ({ type }));
const kvm: Device = { type: "c", path: "/dev/kvm", major: 10, minor: 232, fileMode: 0o666 };

/** The part of a container's spec that is its process in the guest. */
export function guestSpec(spec: Spec): Spec {
  const { linux, process } = spec;
  const own = new Set(process.rlimits?.map(({ type }) => type));
  const rlimits = [
    ...(process.rlimits ?? []),
    ...["RLIMIT_NOFILE", "RLIMIT_NPROC"]
      .filter((type) => !own.has(type))
      .map((type) => ({ type, soft: 1 << 20, hard: 1 << 20 })),
  ];
  const { pids, devices } = linux.resources ?? {};
  return {
    ...spec,
    process: { ...process, rlimits },
    // A read-only root is so on the host, where volumes are told from it.
    root: { ...spec.root, readonly: false },
    mounts: spec.mounts.filter(({ type }) => type !== "bind"),
    linux: {
      namespaces: fresh("mount", "uts", "pid", "ipc", "cgroup"),
      devices: [...defaultDevices],
      cgroupsPath: guestGroup,
      resources: { ...(devices ? { devices } : {}), ...(pids ? { pids } : {}) },
      ...(linux.seccomp ? { seccomp: linux.seccomp } : {}),
      sysctl: linux.sysctl,
      maskedPaths: linux.maskedPaths,
      readonlyPaths: linux.readonlyPaths,
    },
  };
}

/** The part of a container's spec that is the sandbox of its virtual machine. */
export function enclosureSpec(
  spec: Spec,
  hostConfig: HostConfig,
  options: { args: string[]; seccomp: Seccomp | undefined; kvm: boolean },
): Spec {
  const { linux, process } = spec;
  return {
    ociVersion: spec.ociVersion,
    root: spec.root,
    process: {
      terminal: false,
      cwd: process.cwd,
      env: [],
      args: options.args,
      user: { uid: 0, gid: 0, additionalGids: [] },
      capabilities: {
        bounding: supervisorCapabilities,
        effective: supervisorCapabilities,
        permitted: supervisorCapabilities,
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: false,
      oomScoreAdj: process.oomScoreAdj ?? 0,
    },
    mounts: spec.mounts.filter(({ type }) => type === "bind"),
    linux: {
      namespaces: fresh("user", "mount", "network", "uts", "pid", "ipc", "cgroup"),
      uidMappings: linux.uidMappings,
      gidMappings: linux.gidMappings,
      devices: [...defaultDevices, ...(options.kvm ? [kvm] : [])],
      cgroupsPath: linux.cgroupsPath,
      resources: hostResources(linux.resources ?? {}, machineSize(hostConfig), options.kvm),
      ...(options.seccomp ? { seccomp: allowing(options.seccomp, ["unshare"]) } : {}),
    },
  };
}

export { supervisorCapabilities };

/** Where the guest mounts something on the container's root itself, not on another mount of its own. */
export function mountPoints({ mounts }: Spec): string[] {
  const own = mounts.filter(({ type }) => type !== "bind").map(({ destination }) => destination);
  return own.filter((path) => !own.some((other) => path.startsWith(`${other}/`)));
}

/** virtiofsd's threads each take a working directory of their own. */
function allowing(seccomp: Seccomp, names: string[]): Seccomp {
  return { ...seccomp, syscalls: [...(seccomp.syscalls ?? []), { names, action: "SCMP_ACT_ALLOW" }] };
}

/** The guest's memory is the machine's own; the group bounds the machine as a whole. */
export function hostResources(
  resources: Resources,
  { memory }: { memory: number },
  kvmToo: boolean,
): Resources {
  const { pids: _pids, memory: _memory, devices = [], ...rest } = resources;
  return {
    ...rest,
    memory: { limit: memory + overhead },
    devices: [
      ...devices,
      ...(kvmToo ? [{ allow: true, type: "c" as const, major: 10, minor: 232, access: "rw" }] : []),
    ],
  };
}
