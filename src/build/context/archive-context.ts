import type { Readable } from "node:stream";
import type { ImageBuilding } from "../../image/building.ts";
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
  try {
    const files = `${directory}/fs`;
    await unpack(worker, files, tar);
    const all = (await indexFiles(worker, { directory: files }, "/")) ?? new FileIndex([]);
    const read = (path: string): Buffer | null => readRootfsFile([files], path, maxDockerfile);
    const rules = read(`${dockerfile}.dockerignore`) ?? read(".dockerignore");
    const patterns = readIgnore(rules?.toString("utf8") ?? "");
    const isIgnored = ignores(patterns);
    const { index, gone } =
      patterns.length === 0 ? { index: all, gone: [] } : all.without((file) => isIgnored(file.path));
    return { directory: files, index, ignored: gone, read, discard: () => images.discard(directory) };
  } catch (error) {
    await images.discard(directory);
    throw error;
  }
}

async function unpack(worker: FileWorker, directory: string, tar: Readable): Promise<void> {
  const work = await worker.start(["directory", directory, "put", "/", "c", "0", "0"]);
  work.stdin.on("error", () => undefined);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  const onClose = (): void => {
    if (!tar.readableEnded) reject(invalid("Error reading the build's context: unexpected EOF"));
  };
  tar.on("error", reject);
  tar.on("close", onClose);
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
    tar.off("close", onClose);
    tar.unpipe(work.stdin);
  }
}
