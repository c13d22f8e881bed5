import { open } from "node:fs/promises";

const piece = 1 << 20;
const page = 4096;
const zeros = Buffer.alloc(page);

/** Copies a file; pages of zeros become holes. */
export async function sparseCopy(from: string, to: string, mode: number): Promise<void> {
  await using source = await open(from, "r");
  await using target = await open(to, "wx", mode);
  const { size } = await source.stat();
  await target.truncate(size);
  const buffer = Buffer.alloc(piece);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await source.read(buffer, 0, piece, at);
    if (bytesRead === 0) break;
    for (const [begin, end] of written(buffer.subarray(0, bytesRead)))
      for (let from = begin; from < end; )
        from += (await target.write(buffer, from, end - from, at + from)).bytesWritten;
    at += bytesRead;
  }
}

/** Stretches of pages that hold something else than zeros. */
function* written(data: Buffer): Generator<[begin: number, end: number]> {
  let begin = -1;
  for (let at = 0; at < data.length; at += page) {
    const part = data.subarray(at, at + page);
    const empty = zeros.compare(part, 0, part.length, 0, part.length) === 0;
    if (empty && begin >= 0) yield [begin, at];
    if (empty) begin = -1;
    else if (begin < 0) begin = at;
  }
  if (begin >= 0) yield [begin, data.length];
}
