import { open, rename, rm, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { BerthError, invalid } from "../../lib/errors.ts";
import { isObject } from "../json-lines.ts";
import { tool } from "./tool.ts";

/** The magic number of qcow2, and the last two bytes of a boot sector. */
const qcow2Magic = 0x514649fb;
const bootSector = { size: 512, mark: 0x55aa, at: 510 };

export type DiskFormat = "qcow2" | "raw";

/** What is known of a disk in a file. */
export interface DiskInfo {
  /** Bytes that the guest sees. */
  size: number;
  /** Bytes that it takes on the host. */
  used: number;
  snapshots: SnapshotInfo[];
}

export interface SnapshotInfo {
  name: string;
  /** Seconds since 1970. */
  created: number;
  /** Bytes of the machine's memory that are in it; 0 when it holds the disk alone. */
  memory: number;
}

/** The format by the file's own bytes; throws INVALID_PARAMETER when it is no disk. */
export async function diskFormat(file: string): Promise<DiskFormat> {
  const head = await readHead(file);
  if (head.length >= 4 && head.readUInt32BE(0) === qcow2Magic) return "qcow2";
  if (head.length === bootSector.size && head.readUInt16BE(bootSector.at) === bootSector.mark) return "raw";
  throw invalid(`${file} is not a disk: it is no qcow2 image and has no boot sector`);
}

async function readHead(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bootSector.size), 0, bootSector.size, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") throw invalid(`the disk ${file} does not exist`, error);
    if (code === "EISDIR") throw invalid(`${file} is a directory, not a disk`, error);
    throw error;
  }
}

/** Reads a disk without disturbing a machine that has it open. */
export async function diskInfo(file: string, format: DiskFormat = "qcow2"): Promise<DiskInfo> {
  const info = await describe(file, format);
  const snapshots = Array.isArray(info.snapshots) ? info.snapshots.filter(isObject) : [];
  const { blocks } = await stat(file);
  return {
    size: Number(info["virtual-size"]),
    used: blocks * 512,
    snapshots: snapshots.map((snapshot) => ({
      name: String(snapshot.name),
      created: Number(snapshot["date-sec"]),
      memory: Number(snapshot["vm-state-size"]),
    })),
  };
}

async function describe(file: string, format: DiskFormat): Promise<Record<string, unknown>> {
  const text = await tool("qemu-img", ["info", "--force-share", "--output=json", "-f", format, file]);
  const info: unknown = JSON.parse(text);
  return isObject(info) ? info : {};
}

/**
 * Copies a disk into a qcow2 of a machine's own, `size` bytes large or as it is. Throws for one that is
 * none, that refers to other files, or that is larger.
 */
export async function importDisk(source: string, target: string, size: number | null): Promise<void> {
  const format = await diskFormat(source);
  const info = await describeForeign(source, format);
  const own = Number(info["virtual-size"]);
  if (size !== null && size < own)
    throw invalid(`the disk ${source} has ${own} bytes: it does not fit into a --disk-size of ${size}`);
  await checkSpace(target, Math.max(own, size ?? 0));
  await complete(target, async (file) => {
    await tool("qemu-img", ["convert", "-f", format, "-O", "qcow2", source, file]);
    if (size !== null && size > own) await tool("qemu-img", ["resize", "-f", "qcow2", file, String(size)]);
  });
}

/** Other files that a disk names would be read with the daemon's rights. */
async function describeForeign(source: string, format: DiskFormat): Promise<Record<string, unknown>> {
  let info: Record<string, unknown>;
  try {
    info = await describe(source, format);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(`${source} is not a disk: ${why}`, error);
  }
  const specific = isObject(info["format-specific"]) ? info["format-specific"].data : undefined;
  const external = isObject(specific) ? specific["data-file"] : undefined;
  if (info["backing-filename"] !== undefined || external !== undefined)
    throw invalid(
      `the disk ${source} needs another file: make it whole with \`qemu-img convert -O qcow2 ${source} WHOLE.qcow2\``,
    );
  if (info.encrypted === true) throw invalid(`the disk ${source} is encrypted`);
  return info;
}

/**
 * Makes a disk of `size` bytes whose ext4 holds the files of an image: the directories of its layers,
 * topmost first, below `root`. Nothing is mounted outside of a mount namespace that ends with the work.
 */
export async function makeSystemDisk(
  layers: { root: string; names: readonly string[]; at: string },
  target: string,
  size: number,
): Promise<void> {
  await checkSpace(target, size);
  await complete(target, async (file) => {
    const base = `${file}.ext4`;
    try {
      await writeFile(base, "", { flag: "wx", mode: 0o600 });
      await truncate(base, size);
      await makeFilesystem(layers, base, size);
      await tool("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", base, file]);
    } finally {
      await rm(base, { force: true });
    }
  });
}

const filesystem = [
  "-q",
  "-F",
  "-t",
  "ext4",
  "-m",
  "0",
  "-E",
  "nodiscard,lazy_itable_init=1,lazy_journal_init=1",
];

/** Arguments: the directory of the layers, their names for overlay, where to mount, and mke2fs's. */
const joinAndMake = `cd "$1"; layers=$2; at=$3; shift 3
mount -t overlay overlay -o "ro,userxattr,lowerdir=$layers" "$at"
exec mke2fs "$@"`;

async function makeFilesystem(
  { root, names, at }: { root: string; names: readonly string[]; at: string },
  file: string,
  size: number,
): Promise<void> {
  // Overlay joins two directories at least.
  const [only] = names;
  const from = names.length === 1 ? `${root}/${only}` : at;
  const make = [...filesystem, "-d", from, file];
  try {
    if (names.length === 1) await tool("mke2fs", make);
    else
      await tool("unshare", ["--mount", "sh", "-euc", joinAndMake, "sh", root, names.join(":"), at, ...make]);
  } catch (error) {
    const text = error instanceof Error ? error.message : "";
    if (!/allocate|no free space|populating/i.test(text)) throw error;
    throw invalid(
      `the image does not fit on a disk of ${size} bytes: give a larger --disk-size (${text})`,
      error,
    );
  }
}

/** Throws when the host's file system has not got as much left as the disk may come to take. */
async function checkSpace(target: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(target.slice(0, target.lastIndexOf("/")));
  const free = bavail * bsize;
  if (size > free)
    throw new BerthError(
      "INVALID_PARAMETER",
      `a disk of ${size} bytes is more than the ${free} bytes that are free for it: give a smaller --disk-size`,
    );
}

/** The file appears when it is whole, or not at all. */
async function complete(target: string, make: (file: string) => Promise<void>): Promise<void> {
  const file = `${target}.new`;
  try {
    await make(file);
    await rename(file, target);
  } finally {
    await rm(file, { force: true });
  }
}
