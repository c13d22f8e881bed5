import type { ShimAttachment } from "../types.ts";
import { type ConnectionEvents, inputLimit, requests, type ShimConnection } from "./connection.ts";

interface Piece {
  stream: "stdout" | "stderr";
  data: Buffer;
}

const flags = { stdin: 1, stdout: 2, stderr: 4 } as const;
/** Bytes waiting for the reader beyond which the shim is made to wait too. */
const highWater = 1 << 20;

/** A queue with one reader that ends. */
class Output implements AsyncIterable<Piece> {
  readonly #pieces: Piece[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  pause: (() => void) | undefined;
  resume: (() => void) | undefined;

  push(piece: Piece): void {
    this.#pieces.push(piece);
    this.#bytes += piece.data.length;
    if (this.#bytes >= highWater) this.pause?.();
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece> {
    while (true) {
      const piece = this.#pieces.shift();
      if (piece) {
        this.#bytes -= piece.data.length;
        if (this.#bytes < highWater) this.resume?.();
        yield piece;
      } else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** An attachment to a process that has already ended. */
export function endedAttachment(): ShimAttachment {
  const output = new Output();
  output.end();
  return {
    output,
    write: () => Promise.reject(new Error("the process has ended")),
    closeStdin: () => undefined,
    close: () => undefined,
  };
}

/** Attaches to a shim's streams over a new connection. Rejects when there is none. */
export async function attach(
  connect: (events: ConnectionEvents) => Promise<ShimConnection>,
  wanted: { stdin: boolean; stdout: boolean; stderr: boolean },
): Promise<ShimAttachment> {
  const output = new Output();
  const events: ConnectionEvents = {
    output: (stream, data) => output.push({ stream, data }),
    // Nothing comes after that.
    exit: () => output.end(),
    closed: () => output.end(),
  };
  const connection = await connect(events);
  output.pause = () => connection.socket.pause();
  output.resume = () => connection.socket.resume();
  const mask =
    (wanted.stdin ? flags.stdin : 0) |
    (wanted.stdout ? flags.stdout : 0) |
    (wanted.stderr ? flags.stderr : 0);
  await connection.request(requests.attach, Buffer.from([mask]));
  const quiet = (promise: Promise<unknown>) => promise.catch(() => undefined);
  return {
    output,
    async write(data) {
      for (let at = 0; at < data.length; at += inputLimit)
        await connection.request(requests.input, data.subarray(at, at + inputLimit));
    },
    closeStdin: () => void quiet(connection.request(requests.closeInput)),
    close: () => connection.close(),
  };
}
