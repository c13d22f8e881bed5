import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, renameSync } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { invalid } from "../lib/errors.ts";
import { passedThrough } from "../lib/young-garbage.ts";
import type { DataPaths } from "../state/index.ts";
import { isDigest } from "./reference.ts";

/** A blob on its way in. It has no name until `commit`. */
export interface BlobWriter {
  write(chunk: Buffer): Promise<void>;
  /** Names the blob by its digest. Rejects with INVALID_PARAMETER when it is not `digest`. */
  commit(digest: string): Promise<void>;
  /** Ends the blob, which still has no name; resolves with its digest. */
  finish(): Promise<string>;
  /** Names a finished blob by its digest, at once. */
  place(): void;
  abort(): Promise<void>;
}

/** Blobs by digest, one file each. Whether a blob is still wanted is for others to know. */
export class ContentStore {
  readonly #directory: string;
  readonly #temporary: string;
  #counter = 0;

  constructor(paths: DataPaths) {
    this.#directory = join(paths.content, "sha256");
    this.#temporary = paths.temporary;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  path(digest: string): string {
    if (!isDigest(digest)) throw invalid(`invalid digest ${JSON.stringify(digest)}`);
    return join(this.#directory, digest.slice("sha256:".length));
  }

  async size(digest: string): Promise<number> {
    return (await stat(this.path(digest))).size;
  }

  /** The bytes of a blob, or `size` of them from `offset` on. */
  read(digest: string, offset = 0, size = Number.POSITIVE_INFINITY): Readable {
    const end = offset + size - 1;
    const stream = createReadStream(this.path(digest), { highWaterMark: 256 * 1024, start: offset, end });
    stream.on("data", (chunk) => passedThrough(chunk.length));
    return stream.pause();
  }

  /** The digests of all blobs. */
  list(): string[] {
    return readdirSync(this.#directory)
      .map((name) => `sha256:${name}`)
      .filter(isDigest);
  }

  /** Nobody finds the blob any more when this returns; the promise is for its bytes. */
  async remove(digest: string): Promise<void> {
    const doomed = join(this.#temporary, `blob-${process.pid}-${this.#counter++}`);
    try {
      renameSync(this.path(digest), doomed);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw error;
    }
    await rm(doomed, { force: true });
  }

  async writer(): Promise<BlobWriter> {
    const file = join(this.#temporary, `blob-${process.pid}-${this.#counter++}`);
    const handle = await open(file, "wx", 0o600);
    return blobWriter(handle, file, (digest) => this.path(digest));
  }
}

function blobWriter(handle: FileHandle, file: string, pathOf: (digest: string) => string): BlobWriter {
  const hash = createHash("sha256");
  let open = true;
  const close = async (): Promise<void> => {
    if (open) await handle.close();
    open = false;
  };
  const abort = async (): Promise<void> => {
    await close();
    await rm(file, { force: true });
  };
  let digest = "";
  const finish = async (): Promise<string> => {
    await close();
    digest ||= `sha256:${hash.digest("hex")}`;
    return digest;
  };
  const place = (): void => renameSync(file, pathOf(digest));
  return {
    async write(chunk) {
      hash.update(chunk);
      for (let rest = chunk; rest.length > 0; ) {
        const { bytesWritten } = await handle.write(rest);
        rest = rest.subarray(bytesWritten);
      }
    },
    async commit(expected) {
      const actual = await finish();
      if (actual !== expected) {
        await abort();
        throw invalid(`wrong digest: expected ${expected}, got ${actual}`);
      }
      place();
    },
    finish,
    place,
    abort,
  };
}
