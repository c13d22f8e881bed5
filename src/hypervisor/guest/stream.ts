import { Duplex } from "node:stream";
import { ProtocolError, payloadLimit, windowSize } from "./frames.ts";

/** What a stream asks of the channel that carries it. */
export interface StreamCarrier {
  data(payload: Buffer): void;
  end(): void;
  close(): void;
  credit(bytes: number): void;
}

/** One connection inside a guest. Neither side sends more than the other has room for. */
export class GuestStream extends Duplex {
  readonly #carrier: StreamCarrier;
  /** Bytes that the guest has room for. */
  #credit = windowSize;
  /** Bytes that the guest may still send. */
  #granted = windowSize;
  /** Received, but not read: the guest gets leave for as many when they are. */
  #owed = 0;
  #waiting: { chunk: Buffer; done: (error?: Error | null) => void } | null = null;
  #closed = false;

  constructor(carrier: StreamCarrier) {
    super({ allowHalfOpen: true });
    this.#carrier = carrier;
  }

  /** The guest sent data. Throws when that is more than it had leave for. */
  receive(payload: Buffer): void {
    if (payload.length > this.#granted) throw new ProtocolError("more data than it has leave for");
    this.#granted -= payload.length;
    if (this.destroyed) return;
    this.#owed += payload.length;
    if (this.push(payload)) this.#repay();
  }

  /** The guest has room for more. Throws when that cannot be. */
  grant(bytes: number): void {
    if (bytes === 0 || bytes > windowSize - this.#credit) throw new ProtocolError(`leave for ${bytes} bytes`);
    this.#credit += bytes;
    this.#send();
  }

  /** The guest closed it; `errno` when it could not be opened or broke. */
  closedByGuest(errno: number): void {
    this.#closed = true;
    if (this.destroyed) return;
    if (errno !== 0) this.destroy(new Error(`the guest closed a connection with errno ${errno}`));
    else {
      this.push(null);
      this.#fail(new Error("the guest closed the connection"));
      this.end();
    }
  }

  #repay(): void {
    if (this.#owed === 0 || this.#closed) return;
    this.#granted += this.#owed;
    this.#carrier.credit(this.#owed);
    this.#owed = 0;
  }

  #send(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    while (waiting.chunk.length > 0 && this.#credit > 0) {
      const piece = waiting.chunk.subarray(0, Math.min(this.#credit, payloadLimit));
      this.#credit -= piece.length;
      waiting.chunk = waiting.chunk.subarray(piece.length);
      this.#carrier.data(piece);
    }
    if (waiting.chunk.length > 0) return;
    this.#waiting = null;
    waiting.done();
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.done(error);
  }

  override _read(): void {
    this.#repay();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = { chunk, done };
    if (this.#closed) this.#fail(new Error("the guest closed the connection"));
    else this.#send();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#closed) this.#carrier.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#fail(error ?? new Error("the connection was closed"));
    if (!this.#closed) this.#carrier.close();
    done(error);
  }
}
