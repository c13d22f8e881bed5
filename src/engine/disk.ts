import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "@docker/node-sdk";
import { parseBytes } from "../lib/bytes.ts";
import { makeDiskImage, mountDiskImage, unmountDisk } from "../lib/disk-image.ts";
import { invalid, system } from "../lib/errors.ts";
import { isMounted } from "../lib/mounts.ts";

/*
 * A container whose disk is limited has its writable layer on an ext4 of its own, in a sparse file in its
 * directory: that works on whatever file system the data root is, and asks nothing of its mount options.
 */

const imageName = "disk";
/** What an ext4 needs to be one. */
const smallest = 2 ** 20;

/** Bytes that a container may write to its own layer; null for no limit. Throws for what is not known. */
export function diskLimit({ StorageOpt }: HostConfig): number | null {
  let limit: number | null = null;
  for (const [key, value] of Object.entries(StorageOpt ?? {})) {
    if (key.toLowerCase() !== "size") throw invalid(`Unknown option ${key}`);
    const bytes = parseBytes(value);
    if (bytes > 0 && bytes < smallest) {
      throw invalid(`--storage-opt size=${value} is too small: a container's disk needs at least 1M`);
    }
    limit = bytes > 0 ? bytes : null;
  }
  return limit;
}

/**
 * Mounts the disk of a container's directory as its `rw` unless it is: a reboot or an orderly end of the
 * daemon unmount it. Makes it first when it was not made yet, or not to its end.
 */
export async function openDisk(directory: string, size: number): Promise<void> {
  const [rw, image] = [join(directory, "rw"), join(directory, imageName)];
  if (isMounted(rw)) return;
  try {
    if (!existsSync(image)) {
      const made = `${image}.new`;
      rmSync(made, { force: true });
      await makeDiskImage(made, size);
      renameSync(made, image);
    }
    await mountDiskImage(image, rw);
  } catch (error) {
    throw unavailable(error);
  }
  chmodSync(rw, 0o711);
  mkdirSync(join(rw, "upper"), { recursive: true, mode: 0o755 });
  mkdirSync(join(rw, "work"), { recursive: true, mode: 0o711 });
}

/** Unmounts the disk of a container's directory, if it has one. */
export async function closeDisk(directory: string): Promise<void> {
  const rw = join(directory, "rw");
  if (existsSync(join(directory, imageName)) && isMounted(rw)) await unmountDisk(rw);
}

function unavailable(error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return system(
    `--storage-opt size needs loop devices (/dev/loop-control), ext4 in the kernel and mkfs.ext4 (Debian package e2fsprogs): ${why}`,
    error,
  );
}
