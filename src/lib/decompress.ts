import { PassThrough, pipeline, type Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

const chunkSize = 256 * 1024;

/** Bytes by which a compressed stream is known. */
export type Compression = "gzip" | "zstd" | "bzip2" | "xz" | "none";

export function compressionOf(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return "zstd";
  if (head.toString("latin1", 0, 3) === "BZh") return "bzip2";
  if (head.toString("latin1", 0, 6) === "\xfd7zXZ\0") return "xz";
  return "none";
}

/**
 * The content of a stream that may be compressed by gzip or zstd; other streams pass unchanged. Errors of
 * the source and of the decompression come out of the returned stream.
 */
export async function decompressed(source: Readable): Promise<Readable> {
  const { head, rest } = await peek(source, 6);
  switch (compressionOf(head)) {
    case "gzip":
      return pipe(rest, createGunzip({ chunkSize }));
    case "zstd":
      return pipe(rest, createZstdDecompress({ chunkSize }));
    default:
      return rest;
  }
}

function pipe(source: Readable, transform: Transform): Readable {
  // The error reaches the reader through the transform, which the pipeline destroys with it.
  pipeline(source, transform, () => undefined);
  return transform;
}

/** The first bytes of a stream, and a stream that still has them. */
async function peek(source: Readable, size: number): Promise<{ head: Buffer; rest: Readable }> {
  const chunks: Buffer[] = [];
  let have = 0;
  const iterator: AsyncIterator<Buffer> = source.iterator({ destroyOnReturn: false });
  while (have < size) {
    const next = await iterator.next();
    if (next.done) break;
    chunks.push(next.value);
    have += next.value.length;
  }
  await iterator.return?.();
  const head = Buffer.concat(chunks);
  const rest = new PassThrough({ highWaterMark: chunkSize });
  rest.write(head);
  if (source.readableEnded) rest.end();
  else pipeline(source, rest, () => undefined);
  return { head, rest };
}
