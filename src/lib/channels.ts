import { Duplex } from "node:stream";
import { buildFrame, readBuildFrames } from "./build-frames.ts";

/** The channels that one connection may have at a time. */
const most = 255;

interface Channel {
  stream: Duplex;
  /** Whether this side and the other have said that they send no more. */
  ended: boolean;
  endedThere: boolean;
}

/**
 * Several streams over one connection, in the frames of `build-frames.ts`. One side opens them, the other
 * is told of each by its first bytes.
 */
export class Channels {
  readonly #connection: Duplex;
  /** A number is used again when both sides have ended it: what is still on its way belongs to the stream before. */
  readonly #channels = new Map<number, Channel>();
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
    for (let number = 1; number <= most; number++) {
      if (!this.#channels.has(number)) return this.#make(number).stream;
    }
    throw new Error("too many streams at once");
  }

  close(): void {
    this.#connection.destroy();
  }

  #make(number: number): Channel {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(number, chunk);
        done();
      },
      final: (done) => {
        this.#end(number, channel);
        done();
      },
      destroy: (error, done) => {
        this.#end(number, channel);
        done(error);
      },
    });
    stream.on("error", () => undefined);
    const channel: Channel = { stream, ended: false, endedThere: false };
    this.#channels.set(number, channel);
    return channel;
  }

  #end(number: number, channel: Channel): void {
    if (channel.ended) return;
    channel.ended = true;
    this.#send(number, Buffer.alloc(0));
    if (channel.endedThere) this.#channels.delete(number);
  }

  #send(number: number, data: Buffer): void {
    if (this.#connection.destroyed) return;
    this.#connection.write(Buffer.concat([buildFrame(number, data.length), data]));
  }

  #take(number: number, data: Buffer): void {
    let channel = this.#channels.get(number);
    if (!channel) {
      if (!this.#onOpen) return;
      channel = this.#make(number);
      // One that is closed before it said anything is only to be answered.
      if (data.length === 0) channel.stream.destroy();
      else this.#onOpen(channel.stream);
    }
    if (data.length === 0) {
      channel.endedThere = true;
      if (channel.ended) this.#channels.delete(number);
    }
    if (!channel.stream.destroyed) channel.stream.push(data.length === 0 ? null : data);
  }

  async #read(): Promise<void> {
    try {
      for await (const { channel, data } of readBuildFrames(this.#connection)) this.#take(channel, data);
    } catch {
      // A broken connection ends the streams as any end does.
    } finally {
      for (const { stream } of this.#channels.values()) stream.destroy();
      this.#connection.destroy();
    }
  }
}
