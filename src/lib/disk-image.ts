import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { type BerthError, system } from "./errors.ts";

const run = promisify(execFile);
const megabyte = 2 ** 20;
/** The smallest that ext4 takes, in blocks of 4 KiB: 1024. */
const smallestJournal = 4 * megabyte;

/** Too small for a journal, which could not be larger than what it serves. */
const hasJournal = (size: number): boolean => size >= 2 * smallestJournal;

/** How large an image must be that `size` bytes of files fit into. */
function imageSize(size: number): number {
  // One inode of 256 bytes for 16 KiB and the bitmaps; what ext4 keeps back for itself; the root.
  const tables = size * 0.017;
  const reserve = Math.min(size * 0.02, 16 * megabyte);
  const journal = hasJournal(size) ? smallestJournal : 0;
  return Math.ceil((size + tables + reserve + journal + megabyte / 4) / 4096) * 4096;
}

/**
 * Makes a file that holds an ext4 file system with room for `size` bytes. It takes no space before there
 * is something in it. The file must not exist.
 */
export async function makeDiskImage(file: string, size: number): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.truncate(imageSize(size));
  } finally {
    await handle.close();
  }
  // `lazy_itable_init`: what a new file holds is zero already.
  const features = hasJournal(size) ? ["-J", "size=4"] : ["-O", "^has_journal"];
  const layout = ["-m", "0", "-b", "4096", "-I", "256", "-i", "16384", "-O", "^resize_inode"];
  const extended = ["-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0"];
  await command("mkfs.ext4", ["-q", "-F", ...layout, ...features, ...extended, file]);
}

/** Mounts an image at a directory. What is deleted in it is given back to the disk. */
export async function mountDiskImage(file: string, directory: string): Promise<void> {
  await command("mount", ["-t", "ext4", "-o", "loop,discard,noinit_itable", "--", file, directory]);
}

/** Takes the mount at a directory away from sight; it ends when nobody is in it any more. */
export async function unmountDisk(directory: string): Promise<void> {
  await command("umount", ["-l", "--", directory]);
}

/** Rejects with the first line of what the program said. */
async function command(program: string, args: readonly string[]): Promise<void> {
  try {
    await run(program, args, { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } });
  } catch (error) {
    throw failure(program, error);
  }
}

function failure(program: string, error: unknown): BerthError {
  if (!(error instanceof Error)) return system(`${program}: ${error}`, error);
  if ("code" in error && error.code === "ENOENT") return system(`${program} is not installed`, error);
  const said = "stderr" in error ? String(error.stderr).trim().split("\n")[0] : "";
  return system(said || error.message, error);
}
