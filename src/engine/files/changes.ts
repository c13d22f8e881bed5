import { join } from "node:path";
import type { FilesystemChange } from "@docker/node-sdk";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { rootLayers } from "../init-layer.ts";

const CHANGED = 0;
const ADDED = 1;

interface Found extends FilesystemChange {
  /** The path itself is changed, not only something below it. */
  own: boolean;
}

/** `docker diff`: what the writable layer changes (0), adds (1) and deletes (2), a directory before what is in it. */
export async function changes(context: EngineContext, container: Container): Promise<FilesystemChange[]> {
  const upper = join(containerDirectory(context, container.id), "rw", "upper");
  const lines = await context.files.run(["changes", upper, ...rootLayers(context, container)]);
  const found = lines.map(({ path, kind, own }) => ({
    Path: String(path),
    Kind: Number(kind) as FilesystemChange["Kind"],
    own: own === true,
  }));
  return withoutMountPoints(found)
    .map(({ Path, Kind }) => ({ Path, Kind }))
    .sort((a, b) => comparePaths(a.Path, b.Path));
}

/** Made by every start when the image has nothing there, and covered by a mount while the container runs. */
const mountPoints = new Set([
  "/dev",
  "/dev/console",
  "/dev/mqueue",
  "/dev/pts",
  "/dev/shm",
  "/etc/hostname",
  "/etc/hosts",
  "/etc/resolv.conf",
  "/proc",
  "/sys",
  "/sys/fs",
  "/sys/fs/cgroup",
]);
/** Directories that may be listed only for the mount points in them. */
const parents = new Set(["/dev", "/etc", "/sys", "/sys/fs"]);

/** Leaves out what only the mounts brought. Deepest first, so that a directory knows what is left in it. */
function withoutMountPoints(found: Found[]): Found[] {
  const left: Found[] = [];
  for (const change of found.toSorted((a, b) => comparePaths(b.Path, a.Path))) {
    const { Path, Kind, own } = change;
    const brought =
      (Kind === ADDED && (mountPoints.has(Path) || Path === "/etc")) ||
      (Kind === CHANGED && !own && parents.has(Path));
    if (!brought || left.some((other) => other.Path.startsWith(`${Path}/`))) left.push(change);
  }
  return left;
}

/** By components, so that "/a/b" comes before "/a-b". */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
