import type { BigIntStats } from "node:fs";
import { toBytes, toText } from "../../lib/byte-text.ts";
import { padding } from "../../lib/tar/entry.ts";
import { type TarEntryInit, tarEnd, tarHeader } from "../../lib/tar/write.ts";
import { fs } from "../builtin.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";

const chunkSize = 1 << 20;

/**
 * A tar archive of a local file or tree as a stream. Its members are named `name` and below; a file with
 * several names in the tree is stored once. Throws `CliError` for what cannot be read.
 */
export async function* packTree(root: string, name: string): AsyncGenerator<Buffer, void, undefined> {
  const seen = new Map<string, string>();
  yield* packEntry(root, name, seen);
  yield tarEnd;
}

/** Which files of a tree are left out. */
export interface PackChoice {
  /** `name` is relative to the tree. */
  excludes: (name: string) => boolean;
  /** Whether a directory that is left out may hold what is not. */
  mayHold: boolean;
  /** What the members' names begin with: a directory and a slash. */
  prefix?: string;
}

/** The members of what is in a directory, without an end of the archive. */
export function* packFiles(root: string, choice: PackChoice): Generator<Buffer> {
  const seen = new Map<string, string>();
  for (const child of namesIn(root)) yield* packChosen(`${root}/${child}`, child, seen, choice);
}

const namesIn = (directory: string): string[] =>
  fs.readdirSync(toBytes(directory), "buffer").map(toText).sort();

function* packChosen(
  path: string,
  name: string,
  seen: Map<string, string>,
  choice: PackChoice,
): Generator<Buffer> {
  const isLeftOut = choice.excludes(name);
  const member = `${choice.prefix ?? ""}${name}`;
  if (isLeftOut && !choice.mayHold) return;
  if (!fs.lstatSync(toBytes(path)).isDirectory()) {
    if (!isLeftOut) yield* packEntry(path, member, seen);
    return;
  }
  const entry = describe(path, member, fs.lstatSync(toBytes(path), { bigint: true }));
  if (entry && !isLeftOut) yield tarHeader(entry);
  for (const child of namesIn(path)) yield* packChosen(`${path}/${child}`, `${name}/${child}`, seen, choice);
}

function* packEntry(path: string, name: string, seen: Map<string, string>): Generator<Buffer> {
  const stat = fs.lstatSync(toBytes(path), { bigint: true });
  const entry = describe(path, name, stat);
  // A socket means nothing elsewhere.
  if (entry === undefined) return;
  if (entry.type === "file" && stat.nlink > 1n) {
    const key = `${stat.dev}:${stat.ino}`;
    const first = seen.get(key);
    if (first !== undefined) {
      yield tarHeader({ ...entry, type: "link", size: 0, linkname: first });
      return;
    }
    seen.set(key, name);
  }
  if (entry.type !== "file") {
    yield tarHeader(entry);
    if (entry.type === "directory")
      for (const child of namesIn(path))
        yield* packEntry(`${path}/${child}`, `${name.replace(/\/$/, "")}/${child}`, seen);
    return;
  }
  yield* packFile(path, entry);
}

function* packFile(path: string, entry: TarEntryInit): Generator<Buffer> {
  let file: number;
  try {
    file = fs.openSync(toBytes(path), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  } catch (error) {
    throw new CliError(openError(path, error));
  }
  try {
    yield tarHeader(entry);
    const size = entry.size ?? 0;
    for (let done = 0; done < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkSize, size - done));
      const count = fs.readSync(file, chunk, 0, chunk.length, null);
      // The header has promised the size.
      if (count === 0) throw new CliError(`${path}: the file became shorter while it was read`);
      done += count;
      yield chunk.subarray(0, count);
    }
    if (padding(size) > 0) yield Buffer.alloc(padding(size));
  } finally {
    fs.closeSync(file);
  }
}

function describe(path: string, name: string, stat: BigIntStats): TarEntryInit | undefined {
  const common = {
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
  };
  if (stat.isDirectory()) return { ...common, type: "directory", name: `${name.replace(/\/$/, "")}/` };
  if (stat.isFile()) return { ...common, type: "file", name, size: Number(stat.size) };
  if (stat.isSymbolicLink())
    return { ...common, type: "symlink", name, linkname: toText(fs.readlinkSync(toBytes(path), "buffer")) };
  if (stat.isFIFO()) return { ...common, type: "fifo", name };
  if (stat.isCharacterDevice() || stat.isBlockDevice()) {
    const device = stat.rdev;
    return {
      ...common,
      type: stat.isBlockDevice() ? "block" : "character",
      name,
      major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
      minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
    };
  }
  return undefined;
}
