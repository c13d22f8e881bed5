import type { HostConfig } from "@docker/node-sdk";
import type { Namespace } from "../../runtime/oci.ts";

/** A process of another container whose namespaces are shared, by mode: "container:x" resolved. */
export type PidOf = (ref: string, kind: string) => number;

/**
 * Which namespaces are new, joined or the host's. `user` tells whether the container has a user
 * namespace: true for a new one, a path for one to join.
 */
export function namespaces(hostConfig: HostConfig, pidOf: PidOf, user: boolean | string): Namespace[] {
  const list: Namespace[] = [];
  if (user) list.push(typeof user === "string" ? { type: "user", path: user } : { type: "user" });
  list.push({ type: "mount" });
  addShared(list, "network", "net", hostConfig.NetworkMode, pidOf);
  addShared(list, "uts", "uts", hostConfig.UTSMode, pidOf);
  addShared(list, "pid", "pid", hostConfig.PidMode, pidOf);
  addShared(list, "ipc", "ipc", hostConfig.IpcMode, pidOf);
  if (hostConfig.CgroupnsMode !== "host") list.push({ type: "cgroup" });
  return list;
}

function addShared(
  list: Namespace[],
  type: Namespace["type"],
  file: string,
  mode: string | undefined,
  pidOf: PidOf,
): void {
  if (mode === "host") return;
  const ref = sharedWith(mode);
  list.push(ref === null ? { type } : { type, path: `/proc/${pidOf(ref, type)}/ns/${file}` });
}

/** The container named in "container:NAME", or null. */
export const sharedWith = (mode: string | undefined): string | null =>
  mode?.startsWith("container:") ? mode.slice("container:".length) : null;
