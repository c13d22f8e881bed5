import type { Duplex } from "node:stream";
import { connectSocket } from "../../lib/unix-socket.ts";
import { errnoName } from "../launch-error.ts";

/** Frames on a shim's socket: u32 length of the payload, u8 kind, payload. */
const header = 5;

export const requests = { attach: 1, input: 2, closeInput: 3, resize: 4, signal: 5, status: 6 } as const;

/** What a request for a terminal of this size carries. */
export function sizePayload({ height, width }: { height: number; width: number }): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(height, 0);
  payload.writeUInt16LE(width, 2);
  return payload;
}

/** What a request to signal the process carries. */
export function signalPayload(signal: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(signal, 0);
  return payload;
}
const answers = { output: 1, exit: 2, oom: 3, ack: 4, running: 5 } as const;

/** Most bytes in a frame of a shim's. */
const frameLimit = 128 << 10;

/** Most bytes in one input frame. */
export const inputLimit = 64 << 10;

export interface ConnectionEvents {
  output?(stream: "stdout" | "stderr", data: Buffer): void;
  exit?(payload: Buffer): void;
  oom?(): void;
  /** No more frames come. */
  closed?(): void;
}

/** A failed request, with the errno's name as `code`. */
export class ShimRequestError extends Error {
  readonly code: string;
  constructor(errno: number) {
    super(`the shim answered ${errnoName(errno)}`);
    this.code = errnoName(errno);
  }
}

/** One connection to a shim. Requests are answered in order. */
export class ShimConnection {
  readonly socket: Duplex;
  readonly #events: ConnectionEvents;
  readonly #waiting: { resolve: (payload: Buffer) => void; reject: (error: Error) => void }[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #closed = false;
  /** Lets the program end while it is open. */
  unref: () => void = () => undefined;

  /** Speaks over a stream that is connected to a shim. */
  constructor(socket: Duplex, events: ConnectionEvents) {
    this.socket = socket;
    this.#events = events;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#end());
  }

  /** Connects to `path`; rejects with the system's error when nobody listens. */
  static open(path: string, events: ConnectionEvents): Promise<ShimConnection> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        const connection = new ShimConnection(socket, events);
        connection.unref = () => socket.unref();
        resolve(connection);
      });
    });
  }

  #receive(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    while (data.length >= header) {
      const size = data.readUInt32LE(0);
      if (size > frameLimit) {
        this.socket.destroy();
        return;
      }
      const end = header + size;
      if (data.length < end) break;
      this.#handle(data.readUInt8(4), data.subarray(header, end));
      data = data.subarray(end);
    }
    this.#rest = data;
  }

  #handle(kind: number, payload: Buffer): void {
    if (kind === answers.output)
      this.#events.output?.(payload[0] === 2 ? "stderr" : "stdout", payload.subarray(1));
    else if (kind === answers.exit) this.#events.exit?.(payload);
    else if (kind === answers.oom) this.#events.oom?.();
    else {
      const waiting = this.#waiting.shift();
      const errno = kind === answers.ack && payload.length >= 4 ? payload.readInt32LE(0) : 0;
      if (errno !== 0) waiting?.reject(new ShimRequestError(errno));
      else waiting?.resolve(payload);
    }
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the shim closed the connection"));
    this.#events.closed?.();
  }

  /** Sends a request; resolves with the payload of its answer. */
  request(kind: number, payload: Buffer = Buffer.alloc(0)): Promise<Buffer> {
    if (this.#closed || this.socket.destroyed)
      return Promise.reject(new Error("the shim closed the connection"));
    const head = Buffer.allocUnsafe(header);
    head.writeUInt32LE(payload.length, 0);
    head[4] = kind;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.socket.cork();
      this.socket.write(head);
      if (payload.length > 0) this.socket.write(payload);
      this.socket.uncork();
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
