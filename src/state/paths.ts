import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../lib/make-directories.ts";

/** Where things are below a data root. All absolute. */
export interface DataPaths {
  root: string;
  /** The SQLite database. */
  database: string;
  /** Blobs by digest: `content/sha256/<hex>`. */
  content: string;
  /** Unpacked layers: `layers/<n>/fs`, `n` a small integer so that overlay's options stay short. */
  layers: string;
  /** One directory per container: its writable layer, log and configuration files. */
  containers: string;
  /** Named volumes: `volumes/<name>/_data`. */
  volumes: string;
  /** Half-made things. Emptied whenever the data root is opened. */
  temporary: string;
}

/** The layout of a data root; touches nothing. */
export function dataPaths(root: string): DataPaths {
  return {
    root,
    database: join(root, "berth.db"),
    content: join(root, "content"),
    layers: join(root, "layers"),
    containers: join(root, "containers"),
    volumes: join(root, "volumes"),
    temporary: join(root, "tmp"),
  };
}

/**
 * Makes the directories of a data root that are missing and sets their modes.
 *
 * The root is 0700: layers hold setuid programs and device nodes of images with plain ids, which no
 * other user of the host may reach. A container's root passes it all the same, because it sees the
 * root only through an id-mapped mount, where it is the owner.
 */
export function makeDataDirectories(paths: DataPaths): void {
  makeDirectories(paths.root, 0o700);
  chmodSync(paths.root, 0o700);
  for (const directory of [paths.content, paths.temporary])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const directory of [paths.layers, paths.containers, paths.volumes]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    chmodSync(directory, 0o711);
  }
}
