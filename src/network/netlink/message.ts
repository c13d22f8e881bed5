import { endianness } from "node:os";

const LITTLE = endianness() === "LE";
const HEADER = 16;
/** netlink(7). */
export const flags = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP: 0x300,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  REPLACE: 0x100,
} as const;

const NESTED = 0x8000;
const align = (size: number): number => (size + 3) & ~3;

/** A growing netlink message: its header, a fixed part, then attributes, nested where wanted. */
export class NetlinkMessage {
  #buffer: Buffer = Buffer.alloc(256);
  #size = HEADER;

  constructor(type: number, messageFlags: number, sequence: number, fixed: Uint8Array) {
    this.#put16(4, type);
    this.#put16(6, messageFlags);
    this.#put32(8, sequence);
    this.raw(fixed);
  }

  /** Bytes without an attribute's header, padded to four. */
  raw(bytes: Uint8Array): this {
    const at = this.#grow(align(bytes.length));
    this.#buffer.set(bytes, at);
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    const at = this.#grow(4 + align(value.length));
    this.#put16(at, 4 + value.length);
    this.#put16(at + 2, type);
    this.#buffer.set(value, at + 4);
    return this;
  }

  /** A string with its final zero, as rtnetlink and nf_tables want names. */
  text(type: number, value: string): this {
    return this.attribute(type, Buffer.from(`${value}\0`));
  }

  u8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    return this.attribute(type, hostU32(value));
  }

  /** In network byte order, as nf_tables has its numbers. */
  be32(type: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.attribute(type, bytes);
  }

  nest(type: number, fill: (message: this) => void): this {
    const at = this.#grow(4);
    fill(this);
    this.#put16(at, this.#size - at);
    this.#put16(at + 2, type | NESTED);
    return this;
  }

  /** Where the next bytes go: for a value that is known only when the message is sent, such as a descriptor. */
  get size(): number {
    return this.#size;
  }

  finish(): Buffer {
    this.#put32(0, this.#size);
    return this.#buffer.subarray(0, this.#size);
  }

  #grow(count: number): number {
    const at = this.#size;
    this.#size += count;
    if (this.#size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#size));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return at;
  }

  #put16(at: number, value: number): void {
    if (LITTLE) this.#buffer.writeUInt16LE(value, at);
    else this.#buffer.writeUInt16BE(value, at);
  }

  #put32(at: number, value: number): void {
    this.#buffer.set(hostU32(value), at);
  }
}

/** Four bytes in the machine's own order, as rtnetlink has its numbers. */
export function hostU32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  if (LITTLE) bytes.writeUInt32LE(value >>> 0);
  else bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function hostU16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  if (LITTLE) bytes.writeUInt16LE(value);
  else bytes.writeUInt16BE(value);
  return bytes;
}

export function readU32(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

export function readU16(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}

export interface Parsed {
  type: number;
  /** After the header: the fixed part, then the attributes. */
  payload: Buffer;
}

/** The messages of an answer. Stops at the first that does not fit. */
export function* parseMessages(bytes: Buffer): Generator<Parsed> {
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = readU32(bytes, at);
    if (length < HEADER || at + length > bytes.length) return;
    yield { type: readU16(bytes, at + 4), payload: bytes.subarray(at + HEADER, at + length) };
    at += align(length);
  }
}

/** Attributes by type; of several with one type the last. */
export function parseAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(readU16(bytes, at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}
