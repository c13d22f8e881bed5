import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connectSocket } from "../../lib/unix-socket.ts";
import {
  encodeFrame,
  encodeNumber,
  FrameDecoder,
  frameKind,
  type GuestFrame,
  nonceSize,
  ProtocolError,
} from "./frames.ts";
import { GuestStream } from "./stream.ts";

/** What begins a connection on the guest's side: it is found whatever an earlier one left there. */
const marker = (token: string): Buffer => Buffer.concat([Buffer.from([0xff]), Buffer.from(token, "latin1")]);

/** A new token for a guest's kernel arguments. */
export const newToken = (): string => randomBytes(16).toString("hex");

type Receiver = { data(payload: Buffer): void; credit(bytes: number): void; close(errno: number): void };

/**
 * The daemon's connection to a guest: streams to the guest's launcher and to the sockets of its shims, over
 * one port of the machine.
 */
export class GuestChannel {
  /** Resolves when the connection has ended, with the reason where it was not by `close`. */
  readonly closed: Promise<Error | null>;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #receivers = new Map<number, Receiver>();
  readonly #greeting = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<Error | null>();
  #next = 1;
  #ended = false;

  private constructor(socket: Socket, nonce: Buffer) {
    this.#socket = socket;
    this.#decoder = new FrameDecoder(nonce);
    this.closed = this.#end.promise;
    this.#greeting.promise.catch(() => undefined);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#stop(error));
    socket.on("close", () => this.#stop(new Error("the virtual machine closed its control channel")));
  }

  /**
   * Connects to the machine's socket and waits until the guest answers. Rejects when it does not within
   * `timeoutMs`, or the machine ends, or `signal` is aborted.
   */
  static async open(
    path: string,
    token: string,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<GuestChannel> {
    const nonce = randomBytes(nonceSize);
    const socket = connectSocket(path);
    const channel = new GuestChannel(socket, nonce);
    socket.write(Buffer.concat([marker(token), nonce]));
    const late = setTimeout(
      () => channel.#stop(new Error(`the guest did not answer within ${options.timeoutMs / 1000} s`)),
      options.timeoutMs,
    );
    const abort = (): void => channel.#stop(new Error("the virtual machine ended"));
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.signal?.aborted) abort();
    try {
      await channel.#greeting.promise;
    } finally {
      clearTimeout(late);
      options.signal?.removeEventListener("abort", abort);
    }
    // The engine decides how long the process lives.
    socket.unref();
    return channel;
  }

  /** A connection to a socket in the guest, or with an empty path to a launcher of its own. */
  connect(path: string): Duplex {
    const id = this.#next++;
    const stream = new GuestStream({
      data: (payload) => this.#send(encodeFrame(id, frameKind.data, payload)),
      end: () => this.#send(encodeFrame(id, frameKind.end)),
      close: () => this.#send(encodeFrame(id, frameKind.close)),
      credit: (bytes) => this.#send(encodeNumber(id, frameKind.credit, bytes)),
    });
    stream.on("error", () => undefined);
    this.#receivers.set(id, {
      data: (payload) => stream.receive(payload),
      credit: (bytes) => stream.grant(bytes),
      close: (errno) => stream.closedByGuest(errno),
    });
    if (this.#ended) stream.destroy(new Error("the control channel is closed"));
    else this.#send(encodeFrame(id, frameKind.open, Buffer.from(path)));
    return stream;
  }

  /** Joins the port of the standard streams to a shim's socket in the guest; nothing when it is joined already. */
  relay(path: string): Promise<void> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const refuse = (): void => {
        throw new ProtocolError("data without a stream");
      };
      this.#receivers.set(id, {
        data: refuse,
        credit: refuse,
        close: (errno) =>
          errno === 0 ? resolve() : reject(new Error(`${path} in the guest: errno ${errno}`)),
      });
      if (this.#ended) reject(new Error("the control channel is closed"));
      else this.#send(encodeFrame(id, frameKind.relay, Buffer.from(path)));
    });
  }

  close(): void {
    this.#stop(null);
  }

  #send(frame: Buffer): void {
    if (!this.#ended) this.#socket.write(frame);
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#handle(frame);
      if (this.#decoder.greeted) this.#greeting.resolve();
    } catch (error) {
      this.#stop(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #handle({ stream, kind, payload }: GuestFrame): void {
    const receiver = this.#receivers.get(stream);
    if (!receiver) throw new ProtocolError(`a frame for stream ${stream}, which is not open`);
    if (kind === frameKind.data) receiver.data(payload);
    else if (kind === frameKind.credit) receiver.credit(payload.readUInt32LE(0));
    else {
      this.#receivers.delete(stream);
      receiver.close(payload.readUInt32LE(0));
    }
  }

  #stop(reason: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#greeting.reject(reason ?? new Error("the control channel was closed"));
    const receivers = [...this.#receivers.values()];
    this.#receivers.clear();
    for (const receiver of receivers) receiver.close(EPIPE);
    this.#end.resolve(reason);
  }
}

const EPIPE = 32;
