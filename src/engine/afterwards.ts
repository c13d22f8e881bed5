import { setTimeout } from "node:timers/promises";

/** Clients that were told of an end have gone on by then. */
const PAUSE_MS = 2;

/** What is done when everybody who waited has been answered: it must be done, but is in nobody's way. */
export class Afterwards {
  readonly #hurry = new AbortController();
  readonly #tasks = new Set<Promise<void>>();

  /** Resolves when those who were answered have had time to go on; at once when the engine closes. */
  async pause(): Promise<void> {
    const { signal } = this.#hurry;
    await setTimeout(PAUSE_MS, undefined, { ref: false, signal }).catch(() => undefined);
  }

  /** `close` waits for it. */
  keep(task: Promise<void>): Promise<void> {
    this.#tasks.add(task);
    const forget = (): void => void this.#tasks.delete(task);
    task.then(forget, forget);
    return task;
  }

  /** Resolves when all is done. */
  async close(): Promise<void> {
    this.#hurry.abort();
    await Promise.allSettled(this.#tasks);
  }
}
