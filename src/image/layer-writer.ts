import { removeLargeTree } from "../lib/remove-tree.ts";
import type { BlobWriter, ContentStore } from "./content.ts";
import type { Unpacked, Unpacking } from "./unpacker.ts";

/** A layer that is unpacked but belongs to no image yet. Must be adopted or discarded. */
export interface Candidate {
  unpacked: Unpacked;
  /** Holds `fs`. */
  directory: string;
  /** The packed bytes, when they came compressed and are worth keeping. */
  packed: BlobWriter | null;
}

/**
 * Takes a layer's archive. Compressed ones are kept beside the files that come out of them, to be sent
 * on bit for bit.
 */
export class LayerWriter {
  readonly #directory: string;
  readonly #unpacking: Unpacking;
  readonly #content: ContentStore;
  #packed: BlobWriter | null = null;
  #head: Buffer | null = Buffer.alloc(0);

  constructor(directory: string, unpacking: Unpacking, content: ContentStore) {
    this.#directory = directory;
    this.#unpacking = unpacking;
    this.#content = content;
  }

  /** Resolves when more may be written; with false when no more is taken, and `finish` says why. */
  async write(chunk: Buffer): Promise<boolean> {
    if (this.#head === null) return this.#pass(chunk);
    // The magic number may come in pieces.
    this.#head = Buffer.concat([this.#head, chunk]);
    return this.#head.length < 4 || this.#decide();
  }

  async #decide(): Promise<boolean> {
    const head = this.#head ?? Buffer.alloc(0);
    this.#head = null;
    if (sniffPacking(head) !== "plain") this.#packed = await this.#content.writer();
    return this.#pass(head);
  }

  async #pass(chunk: Buffer): Promise<boolean> {
    if (chunk.length === 0) return true;
    const [taken] = await Promise.all([this.#unpacking.write(chunk), this.#packed?.write(chunk)]);
    return taken;
  }

  /** Rejects with INVALID_PARAMETER when the archive is damaged or beyond a limit; nothing is left then. */
  async finish(): Promise<Candidate> {
    try {
      if (this.#head !== null) await this.#decide();
      const unpacked = await this.#unpacking.finish();
      return { unpacked, directory: this.#directory, packed: this.#packed };
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.#unpacking.abort();
    await this.#unpacking.ended;
    await this.#packed?.abort();
    await removeLargeTree(this.#directory);
  }
}

/** How an archive is compressed, by its first four bytes. */
export function sniffPacking(head: Buffer): Unpacked["packing"] {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  const magic = head.length >= 4 ? head.readUInt32LE(0) : 0;
  // A frame, or one of the sixteen kinds of skippable frame.
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? "zstd" : "plain";
}
