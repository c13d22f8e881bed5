import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { FilesystemChange } from "@docker/node-sdk";
import { runFileWork } from "../lib/file-worker.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";

/** `docker diff`: what the writable layer changes (0), adds (1) and deletes (2), a directory before what is in it. */
export async function changes(context: EngineContext, container: Container): Promise<FilesystemChange[]> {
  const upper = join(containerDirectory(context, container.id), "rw", "upper");
  const lines = await runFileWork(["changes", upper, ...context.images.layersOf(container.id)]);
  const found = lines.map((line) => ({
    Path: String(line.path),
    Kind: Number(line.kind) as FilesystemChange["Kind"],
  }));
  const own = withoutMountPoints(found, upper, context.images.layersOf(container.id));
  return own.sort((a, b) => comparePaths(a.Path, b.Path));
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
const CHANGED = 0;
const ADDED = 1;

/** Leaves out what only the mounts brought: empty files and directories at their places, and /etc for having them. */
function withoutMountPoints(
  changes: readonly FilesystemChange[],
  upper: string,
  layers: readonly string[],
): FilesystemChange[] {
  const brought = ({ Path, Kind }: FilesystemChange): boolean =>
    Kind === ADDED && mountPoints.has(Path) && isEmpty(join(upper, Path));
  const own = changes.filter((change) => !brought(change));
  if (own.length === changes.length || own.some(({ Path }) => Path.startsWith("/etc/"))) return own;
  return own.filter(
    ({ Path, Kind }) =>
      !(Path === "/etc" && (Kind === ADDED || (Kind === CHANGED && sameRights(upper, layers)))),
  );
}

function isEmpty(path: string): boolean {
  const stat = lstatSync(path);
  if (stat.isDirectory()) return readdirSync(path).every((name) => isEmpty(join(path, name)));
  return stat.isFile() && stat.size === 0;
}

/** Whether owner and mode of /etc are still the image's. */
function sameRights(upper: string, layers: readonly string[]): boolean {
  const stat = (layer: string) => lstatSync(join(layer, "etc"), { throwIfNoEntry: false });
  const now = stat(upper);
  const before = layers.map(stat).find((found) => found !== undefined);
  return now?.mode === before?.mode && now?.uid === before?.uid && now?.gid === before?.gid;
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
