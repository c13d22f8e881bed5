import { rm } from "node:fs/promises";
import { join } from "node:path";
import { removeLargeTree } from "../lib/remove-tree.ts";
import { passedThrough } from "../lib/young-garbage.ts";
import type { BlobWriter, ContentStore } from "./content.ts";
import { recipeName, replacedName } from "./layer-archive.ts";
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
 * on bit for bit; of all a recipe is, by which the uncompressed archive can be made again.
 */
export class LayerWriter {
  readonly #directory: string;
  readonly #start: () => Unpacking;
  readonly #content: ContentStore;
  #unpacking: Unpacking | null = null;
  #packed: BlobWriter | null = null;
  #head: Buffer = Buffer.alloc(0);

  /** `directory` has an empty `fs`; `start` begins to unpack into that. */
  constructor(directory: string, content: ContentStore, start: () => Unpacking) {
    this.#directory = directory;
    this.#content = content;
    this.#start = start;
  }

  /** Resolves when more may be written; with false when no more is taken, and `finish` says why. */
  async write(chunk: Buffer): Promise<boolean> {
    if (this.#unpacking) return this.#pass(this.#unpacking, chunk);
    // The magic number may come in pieces.
    this.#head = Buffer.concat([this.#head, chunk]);
    return this.#head.length < 4 || this.#pass(await this.#begin(), this.#head);
  }

  async #begin(): Promise<Unpacking> {
    const isPlain = sniffPacking(this.#head) === "plain";
    if (!isPlain) this.#packed = await this.#content.writer();
    this.#unpacking = this.#start();
    return this.#unpacking;
  }

  async #pass(unpacking: Unpacking, chunk: Buffer): Promise<boolean> {
    if (chunk.length === 0) return true;
    passedThrough(chunk.length);
    const [taken] = await Promise.all([unpacking.write(chunk), this.#packed?.write(chunk)]);
    return taken;
  }

  /** Rejects with INVALID_PARAMETER when the archive is damaged or beyond a limit; nothing is left then. */
  async finish(): Promise<Candidate> {
    try {
      const unpacking = this.#unpacking ?? (await this.#begin());
      // What was too short to tell what it is.
      if (this.#head.length < 4) await this.#pass(unpacking, this.#head);
      const unpacked = await unpacking.finish();
      const { recipe, replaced } = unpacked;
      if (!recipe) await rm(join(this.#directory, recipeName));
      if (!recipe || !replaced) await rm(join(this.#directory, replacedName));
      return { unpacked, directory: this.#directory, packed: this.#packed };
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.#unpacking?.abort();
    await this.#unpacking?.ended;
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
