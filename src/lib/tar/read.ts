import { toText } from "../byte-text.ts";
import { blockSize, padding, type TarEntry, TarError, type TarType } from "./entry.ts";
import { applyPax, parsePax } from "./pax.ts";

/** The largest extended header that is read, in bytes. */
export const maxExtendedHeader = 1024 * 1024;

const types = new Map<string, TarType>([
  ["\0", "file"],
  ["0", "file"],
  ["7", "file"],
  ["1", "link"],
  ["2", "symlink"],
  ["3", "character"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/** A member and its data, which is gone once the next member is asked for. */
export interface TarMember {
  entry: TarEntry;
  data: AsyncIterable<Buffer>;
}

/**
 * Reads an uncompressed tar archive (v7, ustar, GNU long names, pax) member by member, in memory that
 * does not depend on its size. Throws TarError for what is malformed, truncated or too large a header.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarMember> {
  const input = new BlockInput(source);
  try {
    let extended = new Map<string, Buffer>();
    for (;;) {
      const block = await input.header();
      if (block === null) return;
      checkSum(block);
      const flag = String.fromCharCode(block[156] ?? 0);
      const size = readNumber(block, 124, 12);
      if ("xXgLK".includes(flag)) {
        const data = await input.special(size);
        if (flag === "L") extended.set("path", cString(data));
        else if (flag === "K") extended.set("linkpath", cString(data));
        else if (flag !== "g") for (const [key, value] of parsePax(data)) extended.set(key, value);
        continue;
      }
      const entry = readEntry(block, flag, size);
      applyPax(entry, extended);
      extended = new Map();
      const data = input.data(entry.size);
      yield { entry, data };
      await data.skip();
    }
  } finally {
    await input.close();
  }
}

function readEntry(block: Buffer, flag: string, size: number): TarEntry {
  const type = types.get(flag);
  if (type === undefined) throw new TarError(`unknown type of tar entry: ${JSON.stringify(flag)}`);
  const name = readString(block, 0, 100);
  const ustar = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = ustar ? readString(block, 345, 155) : "";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    type: type === "file" && name.endsWith("/") ? "directory" : type,
    size: type === "file" ? size : 0,
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    mtime: BigInt(readNumber(block, 136, 12)) * 1_000_000_000n,
    linkname: readString(block, 157, 100),
    major: type === "character" || type === "block" ? readNumber(block, 329, 8) : 0,
    minor: type === "character" || type === "block" ? readNumber(block, 337, 8) : 0,
    xattrs: new Map(),
  };
}

function cString(data: Buffer): Buffer {
  const end = data.indexOf(0);
  return end < 0 ? data : data.subarray(0, end);
}

function readString(block: Buffer, offset: number, size: number): string {
  return toText(cString(block.subarray(offset, offset + size)));
}

/** Octal text, or with the top bit set a big-endian number. Negative numbers read as 0. */
function readNumber(block: Buffer, offset: number, size: number): number {
  const first = block[offset] ?? 0;
  if (first & 0x80) {
    if (first & 0x40) return 0;
    let value = BigInt(first & 0x3f);
    for (let i = 1; i < size; i++) value = (value << 8n) | BigInt(block[offset + i] ?? 0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TarError("invalid tar header");
    return Number(value);
  }
  const text = block
    .toString("latin1", offset, offset + size)
    .replace(/^[ \0]+/, "")
    .replace(/[ \0].*$/s, "");
  if (!/^[0-7]*$/.test(text)) throw new TarError("invalid tar header");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function checkSum(block: Buffer): void {
  const expected = readNumber(block, 148, 8);
  let sum = 0;
  let signed = 0;
  for (let i = 0; i < blockSize; i++) {
    const byte = i >= 148 && i < 156 ? 32 : (block[i] ?? 0);
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (sum !== expected && signed !== expected) throw new TarError("invalid tar header");
}

/** Takes blocks and data from a stream of chunks of any size. */
class BlockInput {
  readonly #source: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
  }

  /** Up to `want` bytes; null at the end. */
  async some(want: number): Promise<Buffer | null> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done) {
        this.#ended = true;
        return null;
      }
      this.#chunk = next.value;
    }
    const taken = this.#chunk.subarray(0, want);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  async exactly(size: number): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    let have = 0;
    while (have < size) {
      const part = await this.some(size - have);
      if (part === null) {
        if (have === 0) return null;
        throw new TarError("unexpected EOF");
      }
      parts.push(part);
      have += part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** The next header block, or null at the end of the archive; what follows the end is read and dropped. */
  async header(): Promise<Buffer | null> {
    const block = await this.exactly(blockSize);
    if (block === null) return null;
    if (!block.every((byte) => byte === 0)) return block;
    const second = await this.exactly(blockSize);
    if (second?.some((byte) => byte !== 0)) throw new TarError("invalid tar header");
    while ((await this.some(1 << 20)) !== null);
    return null;
  }

  async special(size: number): Promise<Buffer> {
    if (size > maxExtendedHeader)
      throw new TarError(`a tar header is larger than ${maxExtendedHeader} bytes`);
    const data = size === 0 ? Buffer.alloc(0) : await this.exactly(size);
    const fill = padding(size);
    if (data === null || (fill > 0 && (await this.exactly(fill)) === null))
      throw new TarError("unexpected EOF");
    return data;
  }

  data(size: number): AsyncIterable<Buffer> & { skip(): Promise<void> } {
    let left = size;
    let fill = padding(size);
    const take = async (): Promise<Buffer | null> => {
      if (left === 0) {
        if (fill > 0 && (await this.exactly(fill)) === null) throw new TarError("unexpected EOF");
        fill = 0;
        return null;
      }
      const part = await this.some(left);
      if (part === null) throw new TarError("unexpected EOF");
      left -= part.length;
      return part;
    };
    return {
      async *[Symbol.asyncIterator]() {
        for (let part = await take(); part !== null; part = await take()) yield part;
      },
      async skip() {
        while ((await take()) !== null);
      },
    };
  }
}
