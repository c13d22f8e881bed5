import { join } from "node:path";
import { parseKeyed, readOptional } from "./files.ts";
import { hierarchyOf } from "./layout.ts";
import { mainDirectory } from "./processes.ts";
import type { CgroupHost } from "./support.ts";

/** Where the kernel reports OOM kills of a group; undefined without a memory controller. */
export type OomSource =
  /** v1: register an eventfd(2) for `control` by writing "<eventfd> <fd of control>" to `register`. */
  | { kind: "eventfd"; register: string; control: string }
  /** v2: `file` changes (inotify IN_MODIFY, poll POLLPRI) when its oom_kill count does. */
  | { kind: "events"; file: string };

/** What to watch for OOM kills in a group. */
export function oomSource(host: CgroupHost, path: string): OomSource | undefined {
  if (host.layout.mode === "v2")
    return host.support.memory
      ? { kind: "events", file: join(mainDirectory(host, path), "memory.events") }
      : undefined;
  const hierarchy = hierarchyOf(host.layout, "memory");
  if (!hierarchy) return undefined;
  const directory = join(hierarchy.mountpoint, path);
  return {
    kind: "eventfd",
    register: join(directory, "cgroup.event_control"),
    control: join(directory, "memory.oom_control"),
  };
}

/** How many processes of a group the kernel has killed for want of memory; 0 when there is no group. */
export function oomKillCount(host: CgroupHost, path: string): number {
  const source = oomSource(host, path);
  if (!source) return 0;
  const text = readOptional(source.kind === "eventfd" ? source.control : source.file);
  return text === undefined ? 0 : (parseKeyed(text).oom_kill ?? 0);
}
