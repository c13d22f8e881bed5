/**
 * A queue read as an async iterable: producers push, one consumer reads. Ends at `close`, on the
 * signal, or when the consumer stops. With `limit` the oldest waiting values give way to new ones.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  readonly #limit: number;
  readonly #onClose: () => void;
  #wake: (() => void) | null = null;
  #closed = false;
  #error: unknown;

  constructor(options: { signal?: AbortSignal; limit?: number; onClose?: () => void } = {}) {
    this.#limit = options.limit ?? Number.POSITIVE_INFINITY;
    this.#onClose = options.onClose ?? (() => undefined);
    if (options.signal?.aborted) this.close();
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  get closed(): boolean {
    return this.#closed;
  }

  push(value: T): void {
    if (this.#closed) return;
    if (this.#values.length >= this.#limit) this.#values.shift();
    this.#values.push(value);
    this.#wake?.();
  }

  /** Values already pushed are still read; with `error` the consumer then gets it thrown. */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        while (this.#values.length > 0) yield this.#values.shift() as T;
        if (this.#closed) {
          if (this.#error !== undefined) throw this.#error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    } finally {
      this.close();
    }
  }
}
