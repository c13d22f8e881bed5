import { Duplex } from "node:stream";
import { buildFrame, readBuildFrames } from "./build-frames.ts";

/** The channels that one connection may have at a time. */
const most = 255;

/**
 * Several streams over one connection, in the frames of `build-frames.ts`. One side opens them, the other
 * is told of each by its first bytes.
 */
export class Channels {
  readonly #connection: Duplex;
  readonly #streams = new Map<number, Duplex>();
  readonly #onOpen: ((stream: Duplex) => void) | undefined;
  /** Resolves when the connection has ended, and all streams with it. */
  readonly closed: Promise<void>;

  constructor(connection: Duplex, onOpen?: (stream: Duplex) => void) {
    this.#connection = connection;
    this.#onOpen = onOpen;
    this.closed = this.#read();
  }

  /** Opens a stream. */
  open(): Duplex {
    for (let channel = 1; channel <= most; channel++) {
      if (!this.#streams.has(channel)) return this.#make(channel);
    }
    throw new Error("too many streams at once");
  }

  close(): void {
    this.#connection.destroy();
  }

  #make(channel: number): Duplex {
    const stream: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(channel, chunk);
        done();
      },
      final: (done) => {
        this.#send(channel, Buffer.alloc(0));
        done();
      },
      destroy: (error, done) => {
        if (!stream.writableEnded) this.#send(channel, Buffer.alloc(0));
        if (this.#streams.get(channel) === stream) this.#streams.delete(channel);
        done(error);
      },
    });
    stream.on("error", () => undefined);
    this.#streams.set(channel, stream);
    return stream;
  }

  #send(channel: number, data: Buffer): void {
    if (this.#connection.destroyed) return;
    this.#connection.write(Buffer.concat([buildFrame(channel, data.length), data]));
  }

  async #read(): Promise<void> {
    try {
      for await (const { channel, data } of readBuildFrames(this.#connection)) {
        let stream = this.#streams.get(channel);
        if (!stream) {
          // The end of what this side has closed already.
          if (!this.#onOpen || data.length === 0) continue;
          stream = this.#make(channel);
          this.#onOpen(stream);
        }
        stream.push(data.length === 0 ? null : data);
      }
    } catch {
      // A broken connection ends the streams as any end does.
    } finally {
      for (const stream of this.#streams.values()) stream.destroy();
      this.#connection.destroy();
    }
  }
}
