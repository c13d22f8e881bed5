import { Mutex } from "./mutex.ts";

/** A lock for one task at a time of each key. */
export class KeyedMutex {
  readonly #locks = new Map<string, { mutex: Mutex; tasks: number }>();

  /** Runs `task` when all earlier ones of its key have ended, whatever their outcome. */
  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const lock = this.#locks.get(key) ?? { mutex: new Mutex(), tasks: 0 };
    this.#locks.set(key, lock);
    lock.tasks++;
    try {
      return await lock.mutex.run(task);
    } finally {
      if (--lock.tasks === 0) this.#locks.delete(key);
    }
  }
}
