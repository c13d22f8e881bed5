import { existsSync } from "node:fs";
import type { HostConfig } from "@docker/node-sdk";
import { defaultMounts } from "../../runtime/defaults.ts";
import type { Mount } from "../../runtime/oci.ts";
import type { MountRecord } from "../record.ts";
import { parseSecurityOptions } from "../security-options.ts";
import { checkProcMount } from "./proc-mounts.ts";

/** Host files that become the container's name and resolver configuration. */
export interface NetworkFiles {
  hostname: string;
  hosts: string;
  resolvConf: string;
}

/**
 * Every mount below the root, in the order they are made: Docker's own first, then by depth. `ipcPeer` is
 * a process of the container whose IPC namespace, and so whose /dev/shm, is shared.
 */
export function mounts(
  hostConfig: HostConfig,
  records: readonly MountRecord[],
  files: NetworkFiles,
  ipcPeer: number | null,
): Mount[] {
  const base = defaultMounts({
    privileged: hostConfig.Privileged,
    writableCgroups: parseSecurityOptions(hostConfig.SecurityOpt).writableCgroups,
    shmSize: hostConfig.ShmSize,
  })
    .filter((mount) => mount.destination !== "/dev/shm" || hostConfig.IpcMode !== "none")
    .flatMap((mount) => (hostConfig.IpcMode === "host" ? hostIpc(mount) : [mount]))
    .map((mount) => (ipcPeer !== null && mount.destination === "/dev/shm" ? sharedMemory(ipcPeer) : mount));
  const own: Mount[] = [
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([destination, options]) => tmpfs(destination, options)),
    ...records.map(recorded),
  ];
  for (const mount of own) checkProcMount(mount);
  for (const [source, path] of etcFiles(files)) {
    if (!own.some((mount) => mount.destination === path))
      own.push(fileBind(source, path, hostConfig.ReadonlyRootfs));
  }
  // A user's mount takes the place of the default one at the same path, such as -v /dev/shm:/dev/shm.
  const taken = new Set(own.map((mount) => mount.destination));
  own.sort((a, b) => depth(a.destination) - depth(b.destination));
  return [...base.filter((mount) => !taken.has(mount.destination)), ...own];
}

const etcFiles = (files: NetworkFiles): [source: string, path: string][] => [
  [files.resolvConf, "/etc/resolv.conf"],
  [files.hostname, "/etc/hostname"],
  [files.hosts, "/etc/hosts"],
];

const depth = (path: string): number => path.split("/").length;

const fileBind = (source: string, destination: string, readonly = false): Mount => ({
  destination,
  type: "bind",
  source,
  sourceType: "file",
  options: ["bind", "rprivate", ...(readonly ? ["ro"] : [])],
});

function tmpfs(destination: string, options: string): Mount {
  return {
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["noexec", "nosuid", "nodev", ...options.split(",").filter(Boolean)],
  };
}

function recorded(mount: MountRecord): Mount {
  const destination = mount.Destination ?? "";
  if (mount.Type === "tmpfs") return tmpfs(destination, (mount.options ?? []).join(","));
  if (mount.Type === "image") return imageMount(mount);
  return {
    destination,
    type: "bind",
    source: mount.Source ?? "",
    ...(mount.subpath ? { subpath: mount.subpath } : {}),
    ...(isKnownDirectory(mount) ? { sourceType: "directory" as const } : {}),
    options: [
      ...(mount.options ?? ["rbind"]),
      mount.RW === false ? "ro" : "rw",
      mount.Propagation || "rprivate",
    ],
  };
}

function imageMount({ Destination = "", subpath, layers }: MountRecord): Mount {
  return {
    destination: Destination,
    type: "bind",
    layers: layers?.paths ?? [],
    sourceType: layers?.kind ?? "directory",
    ...(subpath ? { subpath } : {}),
    options: ["bind", "ro"],
  };
}

/** Volumes are directories, and so is a bind's source that the start will make. */
function isKnownDirectory({ Type, Source = "", subpath, createSource }: MountRecord): boolean {
  if (Type === "volume") return !subpath;
  return createSource === true && !existsSync(Source);
}

/** The host's own queues and shared memory, where it shows them, come with the host's IPC namespace. */
function hostIpc(mount: Mount): Mount[] {
  const { destination } = mount;
  // A mqueue mount shows the queues of the namespace it is made in, so the host's need no bind.
  if (destination !== "/dev/shm") return [mount];
  return existsSync(destination)
    ? [{ destination, type: "bind", source: destination, options: ["rbind"] }]
    : [];
}

const sharedMemory = (pid: number): Mount => ({
  destination: "/dev/shm",
  type: "bind",
  source: "/dev/shm",
  sourceType: "directory",
  sourceNamespace: `/proc/${pid}/ns/mnt`,
  options: ["rbind"],
});
