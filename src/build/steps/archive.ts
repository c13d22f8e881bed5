import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { decompressed } from "../../lib/decompress.ts";
import { invalid } from "../../lib/errors.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { readTar } from "../../lib/tar/read.ts";
import type { IndexedFile } from "../context/file-index.ts";
import { type FileSource, layerWords, sourceWords } from "../context/files.ts";

/** The file's bytes, read below a root that cannot be left. */
async function readFile(
  worker: FileWorker,
  source: FileSource,
  path: string,
): Promise<{ data: Readable; stop: () => void }> {
  const work = await worker.start([...sourceWords(source), "pack", path, "file"]);
  const contents = async function* (): AsyncGenerator<Buffer> {
    const said = Array.fromAsync(work.lines);
    said.catch(() => undefined);
    for await (const { data } of readTar(work.archive)) yield* data;
    await said;
  };
  return { data: Readable.from(contents(), { objectMode: false }), stop: () => work.kill() };
}

/** Whether ADD unpacks a file: a tar archive, plain or compressed by gzip, bzip2, xz or zstd. */
export async function isArchive(worker: FileWorker, source: FileSource, file: IndexedFile): Promise<boolean> {
  if (file.size < 10) return false;
  const { data, stop } = await readFile(worker, source, file.path);
  try {
    return await isArchiveStream(data);
  } finally {
    stop();
  }
}

/** Whether a stream is that of an archive; it is used up. */
export async function isArchiveStream(data: Readable): Promise<boolean> {
  let plain: Readable | undefined;
  try {
    plain = await decompressed(data);
    const head = await firstBytes(plain, 512);
    return head.length === 512 && isTarHeader(head);
  } catch {
    // Damaged compression: a file like any other.
    return false;
  } finally {
    plain?.destroy();
    data.destroy();
  }
}

async function firstBytes(stream: Readable, size: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let have = 0;
  for await (const chunk of stream) {
    parts.push(chunk);
    have += chunk.length;
    if (have >= size) break;
  }
  return Buffer.concat(parts).subarray(0, size);
}

/** By its check sum, which counts its own field as blanks. */
function isTarHeader(block: Buffer): boolean {
  const expected = Number.parseInt(block.toString("latin1", 148, 156).replace(/[\0 ].*$/s, ""), 8);
  let sum = 8 * 32;
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum === expected;
}

/** Unpacks an archive into a directory of a new layer. */
export async function addArchive(options: {
  worker: FileWorker;
  source: FileSource;
  path: string;
  lower: readonly string[];
  directory: string;
  destination: string;
  owner: { uid: number; gid: number } | undefined;
}): Promise<void> {
  const { owner, destination } = options;
  const { data, stop } = await readFile(options.worker, options.source, options.path);
  const words = ["put", destination, owner ? "c" : "", String(owner?.uid ?? 0), String(owner?.gid ?? 0)];
  const work = await options.worker.start([...layerWords(options.lower, options.directory), ...words]);
  work.stdin.on("error", () => undefined);
  const said = Array.fromAsync(work.lines);
  said.catch(() => undefined);
  try {
    const plain = await decompressed(data);
    await Promise.all([said, pipeline(plain, work.stdin)]);
  } catch (error) {
    work.kill();
    const reason = await said.then(
      () => error,
      (refusal: unknown) => (refusal instanceof FileWorkError ? refusal : error),
    );
    const message = reason instanceof Error ? reason.message : String(reason);
    throw invalid(`ADD failed: Error processing tar file(exit status 1): ${message}`, error);
  } finally {
    stop();
  }
}
