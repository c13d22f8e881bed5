import { Readable } from "node:stream";
import type { Layer } from "../../image/layers.ts";
import { system } from "../../lib/errors.ts";
import type { FileWorker } from "../../lib/file-worker.ts";
import { sourceWords } from "../context/files.ts";

/** Bytes that end an archive. */
const endSize = 1024;

/**
 * The files of images, as one archive; of several each below a directory of its own. `directories` gives a
 * stack's directories, topmost first.
 */
export function filesArchive(
  worker: FileWorker,
  directories: (layers: readonly Layer[]) => string[],
  images: readonly { layers: readonly Layer[]; below: string }[],
): Readable {
  const all = async function* (): AsyncGenerator<Buffer> {
    for (const [index, { layers, below }] of images.entries()) {
      const packed = pack(worker, directories(layers), below);
      yield* index < images.length - 1 ? withoutEnd(packed) : packed;
    }
  };
  return Readable.from(all(), { objectMode: false });
}

async function* pack(worker: FileWorker, layers: string[], below: string): AsyncGenerator<Buffer> {
  const words = below === "" ? ["export"] : ["pack", "/", below];
  const work = await worker.start([...sourceWords({ layers }), ...words]);
  const said = Array.fromAsync(work.lines);
  said.catch(() => undefined);
  try {
    yield* work.archive;
    if ((await said).at(-1)?.done !== true) throw system("berth-files ended early");
  } finally {
    work.kill();
  }
}

async function* withoutEnd(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of archive) {
    const whole = Buffer.concat([held, chunk]);
    const ready = Math.max(0, whole.length - endSize);
    if (ready > 0) yield whole.subarray(0, ready);
    held = whole.subarray(ready);
  }
}
