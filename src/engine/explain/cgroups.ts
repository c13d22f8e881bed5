import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { detectLayout } from "../../runtime/cgroup/layout.ts";
import type { ContainerExplanation } from "./types.ts";

type Group = ContainerExplanation["cgroups"][number];

/** Files that are long, meant for writing only, or say nothing of a limit. */
const LEFT_OUT =
  /^(cgroup\.(clone_children|event_control|procs|threads|stat)|tasks|notify_on_release|.*\.(stat|numa_stat|usage_percpu.*|usage_all|usage_sys|usage_user|pressure|force_empty|move_charge_at_immigrate|pressure_level|kmem\..*|reset_stats))$/;
const LONGEST = 400;

/**
 * The groups a process is in, with the files that set or show a limit. One group per hierarchy on v1,
 * one in all on v2; hierarchies in which it is at the root, and so limited by nothing, are left out.
 */
export function explainCgroups(pid: number): Group[] {
  const layout = detectLayout();
  const groups: Group[] = [];
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "latin1").split("\n")) {
    const [, , names = "", path = ""] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === "" || path === "/" || names.startsWith("name=")) continue;
    const controllers = names === "" ? [] : names.split(",");
    const mountpoint =
      names === ""
        ? layout.unified?.mountpoint
        : layout.hierarchies.find((hierarchy) => hierarchy.controllers.includes(controllers[0] ?? ""))
            ?.mountpoint;
    if (mountpoint === undefined) continue;
    const directory = join(mountpoint, path);
    groups.push({ controllers, directory, files: readFiles(directory) });
  }
  return groups;
}

function readFiles(directory: string): Group["files"] {
  const files: Group["files"] = [];
  for (const name of readdirSync(directory).sort()) {
    if (LEFT_OUT.test(name)) continue;
    const value = readValue(join(directory, name));
    if (value !== null) files.push({ name, value });
  }
  return files;
}

/** Null for directories, for files that cannot be read, and for empty ones. */
function readValue(path: string): string | null {
  const stat = statSync(path);
  if (!stat.isFile() || (stat.mode & 0o444) === 0) return null;
  try {
    const text = readFileSync(path, "latin1").trim();
    if (text === "") return null;
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  } catch {
    // Some files answer only in certain states or not at all in this kernel.
    return null;
  }
}
