/**
 * Frames on a guest's control channel: u32 length of the payload, u32 stream, u8 kind, payload. A guest is
 * hostile: whatever it sends is checked here before anything else sees it.
 */
export const frameHeader = 9;
/** What one frame carries at most, in either direction. */
export const payloadLimit = (32 << 10) - frameHeader;
/** Bytes that either side may send on a stream before the other gives leave for more. */
export const windowSize = 256 << 10;

export const frameKind = { hello: 1, open: 2, data: 3, end: 4, close: 5, credit: 6, relay: 7 } as const;
type Kind = (typeof frameKind)[keyof typeof frameKind];

/** The size of the nonce that tells a new connection's answer from what an old one left. */
export const nonceSize = 16;
/** How much of an old connection's rest is passed over. */
const restLimit = 1 << 20;

export interface GuestFrame {
  stream: number;
  kind: number;
  payload: Buffer;
}

/** The guest does not keep to the protocol. */
export class ProtocolError extends Error {
  constructor(what: string) {
    super(`the guest broke the protocol of its control channel: ${what}`);
    this.name = "ProtocolError";
  }
}

export function encodeFrame(stream: number, kind: Kind, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(frameHeader + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(stream, 4);
  frame[8] = kind;
  frame.set(payload, frameHeader);
  return frame;
}

export function encodeNumber(stream: number, kind: Kind, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(value, 0);
  return encodeFrame(stream, kind, payload);
}

const sizesOk: ReadonlyMap<number, (size: number) => boolean> = new Map([
  [frameKind.data, (size: number) => size > 0 && size <= payloadLimit],
  [frameKind.close, (size: number) => size === 4],
  [frameKind.credit, (size: number) => size === 4],
]);

/** Cuts a guest's bytes into frames. Keeps less than one frame; throws a ProtocolError for what is none. */
export class FrameDecoder {
  readonly #hello: Buffer;
  #rest: Buffer = Buffer.alloc(0);
  #greeted = false;
  #passedOver = 0;

  constructor(nonce: Buffer) {
    this.#hello = encodeFrame(0, frameKind.hello, nonce);
  }

  /** The guest has answered to this connection. */
  get greeted(): boolean {
    return this.#greeted;
  }

  *push(chunk: Buffer): Generator<GuestFrame> {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#greeted) data = this.#passOver(data);
    while (this.#greeted && data.length >= frameHeader) {
      const size = data.readUInt32LE(0);
      const kind = data.readUInt8(8);
      if (!sizesOk.get(kind)?.(size)) throw new ProtocolError(`kind ${kind} of ${size} bytes`);
      const end = frameHeader + size;
      if (data.length < end) break;
      yield { stream: data.readUInt32LE(4), kind, payload: data.subarray(frameHeader, end) };
      data = data.subarray(end);
    }
    // A copy, so that a few bytes do not keep a whole chunk.
    this.#rest = Buffer.from(data);
  }

  /** Drops what comes before the answer to this connection's nonce. */
  #passOver(data: Buffer): Buffer {
    const at = data.indexOf(this.#hello);
    if (at >= 0) {
      this.#greeted = true;
      return data.subarray(at + this.#hello.length);
    }
    const keep = Math.min(data.length, this.#hello.length - 1);
    this.#passedOver += data.length - keep;
    if (this.#passedOver > restLimit) throw new ProtocolError("no answer to the greeting");
    return data.subarray(data.length - keep);
  }
}
