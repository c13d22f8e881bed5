import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

const directories = ["dev", "dev/pts", "dev/shm", "proc", "sys", "etc"];
const files = [".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/**
 * A layer of empty mount points that lies between an image and a container's own layer, as Docker's
 * does: without it every start would make them anew in the container's layer, on disk.
 */
export function initLayer(context: EngineContext): string {
  const root = join(context.state.paths.root, "init");
  if (existsSync(root)) return join(root, "fs");
  const temporary = join(context.state.paths.temporary, "init");
  rmSync(temporary, { recursive: true, force: true });
  for (const path of directories) mkdirSync(join(temporary, "fs", path), { recursive: true, mode: 0o755 });
  for (const path of files) writeFileSync(join(temporary, "fs", path), "", { mode: 0o644 });
  symlinkSync("/proc/mounts", join(temporary, "fs", "etc/mtab"));
  renameSync(temporary, root);
  return join(root, "fs");
}

/** The read-only layers of a container's root, topmost first. */
export function rootLayers(context: EngineContext, container: Container): string[] {
  container.layers ??= withInitLayer(context, context.images.layersOf(container.id));
  return container.layers;
}

function withInitLayer(context: EngineContext, layers: string[]): string[] {
  return isOrdinary(layers, "etc") && isOrdinary(layers, "dev") ? [initLayer(context), ...layers] : layers;
}

/**
 * The topmost directory of a name gives its owner and mode: an image with others than usual keeps its own.
 * A link or file is hidden, as by dockerd: where it leads nothing of the engine's is to be mounted.
 */
function isOrdinary(layers: string[], name: string): boolean {
  for (const layer of layers) {
    const stat = lstatSync(join(layer, name), { throwIfNoEntry: false });
    if (stat && !stat.isDirectory()) return true;
    if (stat) return (stat.mode & 0o7777) === 0o755 && stat.uid === 0 && stat.gid === 0;
  }
  return true;
}
