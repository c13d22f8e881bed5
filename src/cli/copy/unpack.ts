import type { Stats } from "node:fs";
import { dirname, join } from "node:path";
import { toBytes } from "../../lib/byte-text.ts";
import type { TarEntry } from "../../lib/tar/entry.ts";
import { readTar } from "../../lib/tar/read.ts";
import { fs } from "../builtin.ts";
import { CliError } from "../errors.ts";
import { write } from "../io/output.ts";
import { type CopyPlan, renameMember } from "./paths.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/**
 * Unpacks an archive from a container below a local directory. The archive is not trusted: a name may
 * not lead out of the directory, by `..` or by a link that the archive itself brought. Files belong to
 * the caller. Throws `CliError`.
 */
export async function unpackTree(
  source: AsyncIterable<Buffer>,
  { directory, rename, onDevice }: CopyPlan,
): Promise<void> {
  const times: [string, TarEntry][] = [];
  const safe = new Set<string>();
  for await (const { entry, data } of readTar(source)) {
    const name = renameMember(entry.name, rename);
    const path = resolveInside(directory, name, safe);
    if (path === directory) continue;
    if (entry.type === "directory") {
      makeDirectory(path, entry);
      times.push([path, entry]);
    } else if (onDevice && ["character", "block", "fifo"].includes(entry.type)) {
      onDevice(path);
    } else {
      safe.delete(path);
      remove(path);
      if (entry.type === "file") await writeFile(path, entry, data);
      else if (entry.type === "symlink") fs.symlinkSync(toBytes(entry.linkname), toBytes(path));
      else if (entry.type === "link")
        fs.linkSync(
          toBytes(resolveInside(directory, renameMember(entry.linkname, rename), safe)),
          toBytes(path),
        );
      else throw new CliError(`${path}: cannot make a ${entry.type} file here`);
    }
  }
  // After their content, which would change them.
  for (const [path, entry] of times.reverse()) setTime(path, entry);
}

/** The path of a member; every directory on the way is one, not a link. */
function resolveInside(directory: string, name: string, safe: Set<string>): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new CliError(`invalid path in archive: ${JSON.stringify(name)}`);
  const path = join(directory, ...parts);
  let parent = directory;
  for (const part of parts.slice(0, -1)) {
    parent = join(parent, part);
    if (safe.has(parent)) continue;
    const stat = statOf(parent);
    if (stat === undefined) fs.mkdirSync(toBytes(parent), 0o755);
    else if (!stat.isDirectory()) throw new CliError(`${parent}: not a directory`);
    safe.add(parent);
  }
  return path;
}

function statOf(path: string): Stats | undefined {
  return fs.lstatSync(toBytes(path), { throwIfNoEntry: false });
}

function makeDirectory(path: string, entry: TarEntry): void {
  const stat = statOf(path);
  if (stat && !stat.isDirectory())
    throw new CliError(`cannot overwrite non-directory ${JSON.stringify(path)} with directory`);
  if (!stat) fs.mkdirSync(toBytes(path));
  fs.chmodSync(toBytes(path), entry.mode & 0o7777);
}

function remove(path: string): void {
  const stat = statOf(path);
  if (stat?.isDirectory())
    throw new CliError(`cannot overwrite directory ${JSON.stringify(path)} with non-directory`);
  if (stat) fs.unlinkSync(toBytes(path));
  else if (!fs.existsSync(toBytes(dirname(path))))
    throw new CliError(`${dirname(path)}: no such file or directory`);
}

async function writeFile(path: string, entry: TarEntry, data: AsyncIterable<Buffer>): Promise<void> {
  const file = fs.openSync(toBytes(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for await (const chunk of data) write(file, chunk);
    fs.fchmodSync(file, entry.mode & 0o7777);
    const seconds = Number(entry.mtime) / 1e9;
    fs.futimesSync(file, seconds, seconds);
  } finally {
    fs.closeSync(file);
  }
}

function setTime(path: string, entry: TarEntry): void {
  const seconds = Number(entry.mtime) / 1e9;
  fs.utimesSync(toBytes(path), seconds, seconds);
}
