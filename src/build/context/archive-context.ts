import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ImageBuilding } from "../../image/building.ts";
import { withoutRareCompression } from "../../lib/decompress.ts";
import { invalid } from "../../lib/errors.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { ignores, readIgnore } from "../../lib/ignore.ts";
import { removeTree } from "../../lib/remove-tree.ts";
import { readRootfsFile } from "../../lib/rootfs-file.ts";
import type { BuildContext } from "../types.ts";
import { FileIndex } from "./file-index.ts";
import { indexFiles } from "./files.ts";
import { roomIn, TarMeter } from "./room.ts";

/** The largest Dockerfile that is read, in bytes. */
const maxDockerfile = 16 << 20;

/** A context that came as an archive. To be discarded. */
export interface ArchiveContext extends BuildContext {
  /** Also what is ignored. */
  readonly all: FileIndex;
  /** A small file of it; null when there is none. */
  read(path: string): Buffer | null;
  discard(): Promise<void>;
}

/**
 * Unpacks a context's tar archive, plain or compressed. Everything in it belongs to root. A small one goes to
 * `memory` where that is a file system in memory: on a disk many files take long to come and longer to go.
 */
export async function receiveContext(
  worker: FileWorker,
  images: ImageBuilding,
  tar: Readable,
  { dockerfile, memory }: { dockerfile: string; memory: string },
): Promise<ArchiveContext> {
  const small = await unpackSmall(worker, await withoutRareCompression(tar), tar, memory);
  const directory = "directory" in small ? small.directory : await images.beginDirectory();
  const discard = (): Promise<void> => images.discard(directory);
  try {
    const files = `${directory}/fs`;
    if ("rest" in small) await unpack(worker, files, small.rest, tar);
    const index = (await indexFiles(worker, { directory: files }, "/")) ?? new FileIndex([]);
    return { ...readableContext(files, index, dockerfile), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Unpacks into memory what has room there; of anything else all is still to be read from `rest`. */
async function unpackSmall(
  worker: FileWorker,
  tar: Readable,
  from: Readable,
  memory: string,
): Promise<{ directory: string } | { rest: Readable }> {
  await mkdir(memory, { recursive: true, mode: 0o711 });
  const room = roomIn(memory);
  if (room === 0) return { rest: tar };
  const directory = join(memory, `context-${randomBytes(8).toString("hex")}`);
  await mkdir(join(directory, "fs"), { recursive: true, mode: 0o755 });
  const meter = new TarMeter();
  const kept: Buffer[] = [];
  const chunks: AsyncIterator<Buffer> = tar.iterator({ destroyOnReturn: false });
  const begin = async function* (): AsyncGenerator<Buffer> {
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      kept.push(next.value);
      meter.take(next.value);
      if (meter.need > room) throw new Error("too much for the memory");
      yield next.value;
    }
  };
  try {
    await unpack(worker, join(directory, "fs"), Readable.from(begin(), { objectMode: false }), from);
    return { directory };
  } catch (error) {
    await removeTree(directory);
    if (meter.need <= room) throw error;
  }
  const again = async function* (): AsyncGenerator<Buffer> {
    yield* kept.splice(0);
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  };
  return { rest: Readable.from(again(), { objectMode: false }) };
}

/** A context of a directory, without the files that it wants to be ignored. */
export function readableContext(
  directory: string,
  all: FileIndex,
  dockerfile: string,
): Omit<ArchiveContext, "discard"> {
  const read = (path: string): Buffer | null => readRootfsFile([directory], path, maxDockerfile);
  const rules = read(`${dockerfile}.dockerignore`) ?? read(".dockerignore");
  const patterns = readIgnore(rules?.toString("utf8") ?? "");
  const isIgnored = ignores(patterns);
  const { index, gone } =
    patterns.length === 0 ? { index: all, gone: [] } : all.without((file) => isIgnored(file.path));
  return { directory, all, index, ignored: gone, patterns, read };
}

/** `tar` is what `from` holds, decompressed. */
async function unpack(worker: FileWorker, directory: string, tar: Readable, from: Readable): Promise<void> {
  const work = await worker.start(["directory", directory, "put", "/", "c", "0", "0"]);
  work.stdin.on("error", () => undefined);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  const onClose = (): void => {
    if (!from.readableEnded) reject(invalid("Error reading the build's context: unexpected EOF"));
  };
  tar.on("error", reject);
  from.on("error", reject);
  from.on("close", onClose);
  broken.catch(() => undefined);
  tar.pipe(work.stdin);
  const said = Array.fromAsync(work.lines);
  try {
    await Promise.race([said, broken]);
  } catch (error) {
    work.kill();
    await Promise.allSettled([said]);
    if (!(error instanceof FileWorkError)) throw error;
    throw invalid(`Error processing tar file(exit status 1): ${error.message}`, error);
  } finally {
    from.off("close", onClose);
    tar.unpipe(work.stdin);
  }
}
