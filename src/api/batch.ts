import type { Context } from "./context.ts";

/** Pieces are kept back until they are this many bytes or the event loop has nothing else to do. */
const batchSize = 64 * 1024;

/**
 * Writes the small pieces of a streamed answer together: what comes at once, such as the lines of a
 * log file, costs few writes, and what comes alone is sent in the same turn of the event loop.
 */
export class BatchWriter {
  readonly #context: Context;
  #pieces: Buffer[] = [];
  #size = 0;
  #scheduled = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Takes a piece; when it returns a promise, wait for it before the next. */
  write(piece: Buffer): Promise<void> | undefined {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size >= batchSize) return this.flush();
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => void this.flush());
    }
    return undefined;
  }

  flush(): Promise<void> {
    this.#scheduled = false;
    const [only, ...more] = this.#pieces;
    if (!only) return Promise.resolve();
    const batch = more.length === 0 ? only : Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [];
    this.#size = 0;
    return this.#context.write(batch);
  }
}
