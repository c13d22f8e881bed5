import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How the machine mounts its control groups; "hybrid" is v1 controllers beside a v2 tree. */
export type CgroupMode = "v1" | "hybrid" | "v2";

/** One mounted v1 hierarchy. */
export interface Hierarchy {
  /** Controllers mounted together here; empty for a named hierarchy such as systemd's. */
  controllers: string[];
  /** Set for a named hierarchy. */
  name?: string;
  mountpoint: string;
  /** This process's group, relative to the mountpoint. */
  own: string;
}

/** The mounted v2 tree. */
export interface UnifiedTree {
  mountpoint: string;
  /** What cgroup.controllers lists at the mountpoint, below which groups are made. This process's own has fewer. */
  controllers: string[];
  own: string;
}

export interface CgroupLayout {
  mode: CgroupMode;
  hierarchies: Hierarchy[];
  unified?: UnifiedTree;
}

/** The texts a layout is read from. `controllers` reads cgroup.controllers of a v2 group directory. */
export interface LayoutSource {
  /** /proc/self/mountinfo */
  mountinfo: string;
  /** /proc/self/cgroup */
  membership: string;
  controllers(directory: string): string;
}

interface CgroupMount {
  root: string;
  mountpoint: string;
  type: string;
  superOptions: string[];
}

const unescapeOctal = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

function parseMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    if (before === undefined || after === undefined) continue;
    const [type = "", , superOptions = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const fields = before.split(" ");
    mounts.push({
      root: unescapeOctal(fields[3] ?? "/"),
      mountpoint: unescapeOctal(fields[4] ?? ""),
      type,
      superOptions: superOptions.split(","),
    });
  }
  return mounts;
}

/** A membership path as seen below a mount of which only `root` is visible. */
function relativeTo(root: string, path: string): string {
  if (root === "/") return path;
  if (path === root) return "/";
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
}

/** The layout in the given texts; see cgroups(7) and proc(5) for their forms. */
export function parseLayout(source: LayoutSource): CgroupLayout {
  const mounts = parseMounts(source.mountinfo);
  const hierarchies: Hierarchy[] = [];
  let unified: UnifiedTree | undefined;
  for (const line of source.membership.split("\n")) {
    const [, subsystems, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (subsystems === undefined || path === undefined) continue;
    if (subsystems === "") {
      const mount = mounts.find((candidate) => candidate.type === "cgroup2");
      if (!mount) continue;
      const own = relativeTo(mount.root, path);
      const listed = source.controllers(mount.mountpoint).split(/\s+/).filter(Boolean);
      unified = { mountpoint: mount.mountpoint, controllers: listed, own };
      continue;
    }
    const names = subsystems.split(",");
    const mount = mounts.find(
      (candidate) =>
        candidate.type === "cgroup" && names.every((name) => candidate.superOptions.includes(name)),
    );
    if (!mount) continue;
    const named = names.find((name) => name.startsWith("name="));
    hierarchies.push({
      controllers: names.filter((name) => !name.startsWith("name=")),
      ...(named === undefined ? {} : { name: named.slice("name=".length) }),
      mountpoint: mount.mountpoint,
      own: relativeTo(mount.root, path),
    });
  }
  const hasV1 = hierarchies.some((hierarchy) => hierarchy.controllers.length > 0);
  const mode = hasV1 ? (unified ? "hybrid" : "v1") : "v2";
  return { mode, hierarchies, ...(unified ? { unified } : {}) };
}

/** The layout of this machine, as this process sees it. */
export function detectLayout(): CgroupLayout {
  return parseLayout({
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8"),
    membership: readFileSync("/proc/self/cgroup", "utf8"),
    controllers: (directory) => readFileSync(join(directory, "cgroup.controllers"), "utf8"),
  });
}

/** The v1 hierarchy that has a controller, or undefined. */
export function hierarchyOf(layout: CgroupLayout, controller: string): Hierarchy | undefined {
  return layout.hierarchies.find((hierarchy) => hierarchy.controllers.includes(controller));
}

/** Every controller that can limit or account here, v1 and v2. */
export function availableControllers(layout: CgroupLayout): string[] {
  return [
    ...layout.hierarchies.flatMap((hierarchy) => hierarchy.controllers),
    ...(layout.unified?.controllers ?? []),
  ];
}
