import { posix } from "node:path";
import { Readable } from "node:stream";
import { compressionOf, decompressed } from "../../lib/decompress.ts";
import { invalid } from "../../lib/errors.ts";
import { TarError } from "../../lib/tar/entry.ts";
import { readTar, type TarMember } from "../../lib/tar/read.ts";
import { type Candidate, sniffPacking } from "../layer-writer.ts";
import type { Layer, LayerStore } from "../layers.ts";

/** The largest JSON member, all JSON members together, and the number of members that are read. */
const limits = { document: 8 * 2 ** 20, documents: 64 * 2 ** 20, members: 100_000 };

/** A member of an archive of images, as far as it is of interest. */
export type Part =
  | { kind: "document"; data: Buffer }
  | { kind: "layer"; result: Promise<Candidate> }
  /** A layer that is here already, and was not read again. */
  | { kind: "known"; layer: Layer }
  | { kind: "link"; target: string };

/** Told of the bytes of each layer: the member's name, bytes so far and in all. */
export type OnLayerBytes = (name: string, current: number, total: number) => void;

/**
 * The members of an archive of images by name. An archive is a stream and says only at its end which of
 * its members are layers of what, so everything that looks like a layer is unpacked as it comes.
 */
export class ArchiveParts {
  readonly #layers: LayerStore;
  readonly #parts = new Map<string, Part>();
  /** To be called when the images of the archive have their names. */
  readonly named: (() => void)[] = [];
  #documentBytes = 0;

  constructor(layers: LayerStore) {
    this.#layers = layers;
  }

  /** Reads the whole archive. Throws INVALID_PARAMETER for one that is damaged. */
  async read(source: AsyncIterable<Buffer>, onBytes?: OnLayerBytes): Promise<void> {
    try {
      let members = 0;
      for await (const member of readTar(source)) {
        if (++members > limits.members) throw invalid(`the archive has more than ${limits.members} members`);
        await this.#take(member, onBytes);
      }
    } catch (error) {
      if (error instanceof TarError) throw invalid(`Error processing tar file: ${error.message}`, error);
      throw error;
    }
  }

  async #take({ entry, data }: TarMember, onBytes: OnLayerBytes | undefined): Promise<void> {
    const name = cleanName(entry.name);
    switch (entry.type) {
      case "symlink":
        this.#parts.set(name, {
          kind: "link",
          target: cleanName(posix.join(posix.dirname(name), entry.linkname)),
        });
        return;
      case "link":
        this.#parts.set(name, { kind: "link", target: cleanName(entry.linkname) });
        return;
      case "file":
        await this.#takeFile(name, entry.size, data, onBytes);
        return;
      default:
        return;
    }
  }

  async #takeFile(
    name: string,
    size: number,
    data: AsyncIterable<Buffer>,
    onBytes?: OnLayerBytes,
  ): Promise<void> {
    const known = this.#layers.findPacked(digestOfName(name));
    if (known) {
      this.#layers.hold(known);
      await this.#replace(name, { kind: "known", layer: known });
      return;
    }
    const chunks = data[Symbol.asyncIterator]();
    const head = await firstBytes(chunks);
    if (looksLikeLayer(head)) await this.#unpack(name, size, head, chunks, onBytes);
    else if (size <= limits.document && looksLikeJson(name, head)) await this.#keep(name, head, chunks);
  }

  async #unpack(
    name: string,
    size: number,
    head: Buffer,
    chunks: AsyncIterator<Buffer>,
    onBytes?: OnLayerBytes,
  ): Promise<void> {
    const writer = await this.#layers.begin();
    let current = 0;
    const counted = async function* (): AsyncGenerator<Buffer> {
      for (let chunk: Buffer | null = head; chunk !== null; chunk = await nextChunk(chunks)) {
        current += chunk.length;
        yield chunk;
        onBytes?.(name, current, size);
      }
    };
    try {
      for await (const chunk of isRare(head) ? await decompressed(Readable.from(counted())) : counted())
        if (!(await writer.write(chunk))) break;
    } catch (error) {
      await writer.abort();
      throw error;
    }
    const result = writer.finish();
    // Whether a member that cannot be unpacked matters is known when somebody refers to it.
    result.catch(() => undefined);
    await this.#replace(name, { kind: "layer", result });
  }

  async #keep(name: string, head: Buffer, chunks: AsyncIterator<Buffer>): Promise<void> {
    const data: Buffer[] = [];
    for (let chunk: Buffer | null = head; chunk !== null; chunk = await nextChunk(chunks)) {
      this.#documentBytes += chunk.length;
      if (this.#documentBytes > limits.documents) throw invalid("the archive's JSON files are too large");
      data.push(chunk);
    }
    await this.#replace(name, { kind: "document", data: Buffer.concat(data) });
  }

  async #replace(name: string, part: Part): Promise<void> {
    const earlier = this.#parts.get(name);
    this.#parts.set(name, part);
    if (earlier) await this.#drop(earlier);
  }

  /** Follows links from a name to a member, a few steps at most. */
  #resolve(name: string): { name: string; part: Part } | undefined {
    let at = cleanName(name);
    for (let step = 0; step < 16; step++) {
      const part = this.#parts.get(at);
      if (!part) return undefined;
      if (part.kind !== "link") return { name: at, part };
      at = part.target;
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.#resolve(name) !== undefined;
  }

  /** A JSON member's bytes. Throws INVALID_PARAMETER when there is none of that name. */
  document(name: string): Buffer {
    const found = this.#resolve(name);
    if (found?.part.kind !== "document") throw invalid(`open ${name}: no such file or directory`);
    return found.part.data;
  }

  /** The digests of a layer member. Rejects when it is missing or could not be unpacked. */
  async layer(name: string): Promise<{ diffId: string; packedDigest?: string; packedSize?: number }> {
    const found = this.#resolve(name);
    switch (found?.part.kind) {
      case "known":
        return { diffId: found.part.layer.diffId };
      case "layer":
        return (await found.part.result).unpacked;
      default:
        throw invalid(`open ${name}: no such file or directory`);
    }
  }

  /** Makes a layer member a layer of the store above `below`; it is held until `close`. */
  async adopt(name: string, below: readonly Layer[]): Promise<Layer> {
    const found = this.#resolve(name);
    if (found?.part.kind === "known") return found.part.layer;
    if (found?.part.kind !== "layer") throw invalid(`open ${name}: no such file or directory`);
    const layer = await this.#layers.adopt(await found.part.result, below);
    // Another image of the archive finds it as one that is here.
    this.#parts.set(found.name, { kind: "known", layer });
    return layer;
  }

  /** Removes what was not adopted and lets go of what was. */
  async close(): Promise<void> {
    for (const part of this.#parts.values()) await this.#drop(part);
    this.#parts.clear();
    for (const done of this.named.splice(0)) done();
  }

  async #drop(part: Part): Promise<void> {
    if (part.kind === "known") this.#layers.release(part.layer);
    if (part.kind !== "layer") return;
    const candidate = await part.result.catch(() => null);
    if (candidate) await this.#layers.discard(candidate);
  }
}

/** Relative, without `.` and `..`; what leads out of the archive leads to its root. */
function cleanName(name: string): string {
  return posix.normalize(`/${name}`).slice(1).replace(/\/$/, "");
}

/** The digest that a blob's name in an OCI image layout claims. */
function digestOfName(name: string): string {
  const parts = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name);
  return parts ? `sha256:${parts[1]}` : "";
}

async function nextChunk(chunks: AsyncIterator<Buffer>): Promise<Buffer | null> {
  const next = await chunks.next();
  return next.done ? null : next.value;
}

/** Enough to tell a layer from other files. */
async function firstBytes(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let have = 0;
  while (have < 512) {
    const chunk = await nextChunk(chunks);
    if (chunk === null) break;
    parts.push(chunk);
    have += chunk.length;
  }
  return Buffer.concat(parts);
}

function looksLikeJson(name: string, head: Buffer): boolean {
  return name.endsWith(".json") || head[0] === 0x7b || head[0] === 0x5b;
}

const isRare = (head: Buffer): boolean => ["bzip2", "xz"].includes(compressionOf(head));

function looksLikeLayer(head: Buffer): boolean {
  if (sniffPacking(head) !== "plain" || isRare(head)) return true;
  if (head.length < 512) return false;
  // The magic of every tar since 1988, or the zeros of an empty one.
  return head.toString("latin1", 257, 262) === "ustar" || head.subarray(0, 512).every((byte) => byte === 0);
}
