import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { enclosedRootfs } from "../../runtime/spec/enclosure.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { idMappings } from "../id-ranges.ts";
import { rootLayers } from "../init-layer.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { networkFiles } from "../network/files.ts";
import type { MountRecord } from "../record.ts";
import type { NetworkFiles } from "../spec/mounts.ts";

/** Which of a container's mounts are seen beside its root file system. */
export type Seen = "mounts" | "root alone";

/**
 * How berth-files comes to a container's files: what a running one's processes see, or for a stopped
 * one its layers with the mounts it would have. `write` says whether what is written is to stay.
 */
export function fileRoot(context: EngineContext, container: Container, write: boolean, seen: Seen): string[] {
  return container.shim
    ? runningRoot(container, container.shim.pid, seen)
    : stoppedRoot(context, container, write, seen);
}

function runningRoot({ record }: Container, pid: number, seen: Seen): string[] {
  const args = ["ns", String(pid), record.cgroupPath];
  if (isIsolated(record.hostConfig)) args.push("below", enclosedRootfs);
  const { idRange } = record.state;
  if (idRange !== null) {
    for (const { containerID, hostID, size } of idMappings(idRange))
      args.push("map", String(containerID), String(hostID), String(size));
  }
  if (seen === "root alone") return args;
  for (const target of targets(destinations(record.mounts), Object.keys(record.hostConfig.Tmpfs ?? {}))) {
    args.push("mount", "", "", target, "");
  }
  return args;
}

function stoppedRoot(context: EngineContext, container: Container, write: boolean, seen: Seen): string[] {
  const { record } = container;
  const rw = join(containerDirectory(context, container.id), "rw");
  const upper = join(rw, "upper");
  const layers = rootLayers(context, container);
  const args = (write ? layers : [upper, ...layers]).flatMap((layer) => ["lower", layer]);
  if (write) {
    // The mark of a volatile mount, which refuses every other one.
    rmSync(join(rw, "work", "work", "incompat"), { recursive: true, force: true });
    args.push("upper", upper, join(rw, "work"));
  }
  if (record.hostConfig.ReadonlyRootfs) args.push("readonly");
  if (seen === "root alone") return args;
  for (const mount of record.mounts) {
    if (mount.Type === "tmpfs" || !mount.Source) continue;
    const recursive = mount.options?.includes("bind") ? "" : "r";
    const flags = `${recursive}${mount.RW === false ? "o" : ""}`;
    args.push("mount", mount.Source, mount.subpath ?? "", mount.Destination ?? "", flags);
  }
  const own = new Set(record.mounts.map((mount) => mount.Destination));
  for (const [source, target] of etcFiles(networkFiles(context, container.id))) {
    // Made at the first start.
    if (!own.has(target) && existsSync(source)) args.push("mount", source, "", target, "");
  }
  return args;
}

const destinations = (mounts: readonly MountRecord[]): string[] =>
  mounts.map((mount) => mount.Destination ?? "");

/** Mount points, those above others first. */
function targets(...lists: string[][]): string[] {
  const all = new Set([...lists.flat(), "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]);
  return [...all].sort((a, b) => a.split("/").length - b.split("/").length);
}

function etcFiles(files: NetworkFiles): [source: string, target: string][] {
  return [
    [files.resolvConf, "/etc/resolv.conf"],
    [files.hostname, "/etc/hostname"],
    [files.hosts, "/etc/hosts"],
  ];
}
