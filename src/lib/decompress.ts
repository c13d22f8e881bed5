import { spawn } from "node:child_process";
import { PassThrough, pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { invalid } from "./errors.ts";

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
 * The content of a stream that may be compressed; other streams pass unchanged. Errors of the source and
 * of the decompression come out of the returned stream.
 */
export async function decompressed(source: Readable): Promise<Readable> {
  const { head, rest } = await peek(source, 6);
  const kind = compressionOf(head);
  switch (kind) {
    case "gzip":
      return pipe(rest, createGunzip({ chunkSize }));
    case "zstd":
      return pipe(rest, createZstdDecompress({ chunkSize }));
    case "bzip2":
    case "xz":
      return Readable.from(throughProgram(kind, rest), { objectMode: false });
    default:
      return rest;
  }
}

/** As `decompressed`, but leaves what is compressed by gzip or zstd as it is. */
export async function withoutRareCompression(source: Readable): Promise<Readable> {
  const { head, rest } = await peek(source, 6);
  const kind = compressionOf(head);
  return kind === "bzip2" || kind === "xz"
    ? Readable.from(throughProgram(kind, rest), { objectMode: false })
    : rest;
}

/** Bounded in memory: what `xz -9` makes needs 65 MiB. */
const programs = {
  bzip2: { args: ["-dc", "-q"], from: "bzip2" },
  xz: { args: ["-dc", "-q", "-T1", "-M", "256MiB"], from: "xz-utils" },
};

async function* throughProgram(name: keyof typeof programs, source: Readable): AsyncGenerator<Buffer> {
  const { args, from } = programs[name];
  const child = spawn(name, args, { env: { PATH: process.env.PATH, LC_ALL: "C" } });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < 1000) said += chunk.toString();
  });
  const ended = new Promise<Error | null>((resolve) => {
    child.on("error", (cause) => resolve(invalid(`cannot run ${name} (Debian package ${from})`, cause)));
    child.on("close", (code) => resolve(code === 0 ? null : invalid(`${said.trim() || name}: damaged data`)));
  });
  let broken: unknown;
  source.on("error", (error: NodeJS.ErrnoException) => {
    // When the program takes no more its end says why.
    if (error.code !== "EPIPE") broken = error;
  });
  pipeline(source, child.stdin, () => undefined);
  try {
    yield* child.stdout;
    const failure = await ended;
    if (broken ?? failure) throw broken ?? failure;
  } finally {
    child.kill("SIGKILL");
    source.destroy();
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
