import { watch } from "node:fs";
import { dirname } from "node:path";

/** Tells when a log may have grown, rotated or come to its end. */
export class Changes {
  readonly #watcher: ReturnType<typeof watch>;
  readonly #endings: AbortSignal[];
  readonly #timer: NodeJS.Timeout | undefined;
  #changed = false;
  #over = false;
  #wake: (() => void) | null = null;

  /** Over when one of `endings` aborts or `until` has passed. */
  constructor(path: string, endings: AbortSignal[], until?: Date) {
    this.#endings = endings;
    this.#watcher = watch(dirname(path), () => {
      this.#changed = true;
      this.#wake?.();
    });
    this.#watcher.on("error", this.#finish);
    for (const ending of endings) {
      if (ending.aborted) this.#finish();
      ending.addEventListener("abort", this.#finish, { once: true });
    }
    const wait = until ? until.getTime() - Date.now() : Number.POSITIVE_INFINITY;
    // A timer cannot be set further ahead than 2^31 ms; the client is gone by then.
    if (wait < 2 ** 31) this.#timer = setTimeout(this.#finish, Math.max(0, wait) + 1);
  }

  /** Nothing will be written any more that is not in the file now. */
  get over(): boolean {
    return this.#over;
  }

  /** Resolves when there may be something new since the last call. */
  async next(): Promise<void> {
    if (!this.#changed && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = null;
    this.#changed = false;
  }

  close(): void {
    this.#watcher.close();
    clearTimeout(this.#timer);
    for (const ending of this.#endings) ending.removeEventListener("abort", this.#finish);
  }

  readonly #finish = (): void => {
    this.#over = true;
    this.#wake?.();
  };
}
