/** A lock for one task at a time, first come first served. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `task` when all earlier ones have ended, whatever their outcome. */
  run<T>(task: () => Promise<T> | T): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.then(settled, settled);
    return result;
  }
}

const settled = (): void => undefined;
