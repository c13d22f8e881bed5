import type { Readable } from "node:stream";
import type { ImageBuilding } from "../../image/building.ts";
import { withoutRareCompression } from "../../lib/decompress.ts";
import { invalid } from "../../lib/errors.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { ignores, readIgnore } from "../../lib/ignore.ts";
import { readRootfsFile } from "../../lib/rootfs-file.ts";
import type { BuildContext } from "../types.ts";
import { FileIndex } from "./file-index.ts";
import { indexFiles } from "./files.ts";

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

/** Unpacks a context's tar archive, plain or compressed. Everything in it belongs to root. */
export async function receiveContext(
  worker: FileWorker,
  images: ImageBuilding,
  tar: Readable,
  dockerfile: string,
): Promise<ArchiveContext> {
  const directory = await images.beginDirectory();
  const discard = (): Promise<void> => images.discard(directory);
  try {
    const files = `${directory}/fs`;
    await unpack(worker, files, await withoutRareCompression(tar), tar);
    const index = (await indexFiles(worker, { directory: files }, "/")) ?? new FileIndex([]);
    return { ...readableContext(files, index, dockerfile), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** A context of a directory, without the files that it wants to be ignored. */
export function readableContext(
  directory: string,
  all: FileIndex,
  dockerfile: string,
): Omit<ArchiveContext, "discard"> {
  const read = (path: string): Buffer | null => readRootfsFile([directory], path, { limit: maxDockerfile });
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
