import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Mutex } from "../lib/mutex.ts";
import type { State } from "../state/index.ts";
import type { Sharing } from "./steps/mount-words.ts";

/** A cache mount's directory in use. */
export interface CacheDirectory {
  path: string;
  release(): void;
}

export interface CacheWish {
  id: string;
  sharing: Sharing;
  uid: number;
  gid: number;
  mode: number;
  /** Fills a directory that is new. */
  fill?: (directory: string) => Promise<void>;
}

/** The directories that `RUN --mount=type=cache` shares between builds. */
export class CacheMounts {
  readonly #state: State;
  readonly #users = new Map<number, number>();
  readonly #locks = new Map<string, Mutex>();
  /** Directories are made one after the other. */
  readonly #making = new Mutex();

  constructor(state: State) {
    this.#state = state;
  }

  directory(number: number): string {
    return join(this.#state.paths.root, "build-cache", String(number));
  }

  /**
   * A directory for an id. `locked` waits until nobody else has it, `private` takes another one when this is
   * in use.
   */
  async acquire(wish: CacheWish): Promise<CacheDirectory> {
    if (wish.sharing !== "locked") return this.#take(wish);
    const lock = this.#locks.get(wish.id) ?? new Mutex();
    this.#locks.set(wish.id, lock);
    const free = Promise.withResolvers<void>();
    const ready = Promise.withResolvers<CacheDirectory>();
    lock
      .run(async () => {
        const taken = await this.#take(wish);
        ready.resolve({
          path: taken.path,
          release: () => {
            taken.release();
            free.resolve();
          },
        });
        await free.promise;
      })
      .catch(ready.reject);
    return ready.promise;
  }

  #take(wish: CacheWish): Promise<CacheDirectory> {
    return this.#making.run(async () => {
      const rows = this.#state
        .statement("SELECT number FROM build_mounts WHERE id = ? ORDER BY number")
        .all(wish.id);
      const known = rows
        .map(({ number }) => Number(number))
        .filter((number) => existsSync(this.directory(number)));
      const found = wish.sharing === "private" ? known.find((number) => !this.#users.has(number)) : known[0];
      const number = found ?? (await this.#make(wish));
      this.#users.set(number, (this.#users.get(number) ?? 0) + 1);
      this.#state
        .statement("UPDATE build_mounts SET last_used = ?, uses = uses + 1 WHERE number = ?")
        .run(Date.now(), number);
      return { path: this.directory(number), release: () => this.#release(number) };
    });
  }

  async #make({ id, uid, gid, mode, fill }: CacheWish): Promise<number> {
    const row = this.#state
      .statement(
        "INSERT INTO build_mounts(id, created, last_used, uses) VALUES (?, ?, ?, 0) RETURNING number",
      )
      .get(id, new Date().toISOString(), Date.now());
    const number = Number(row?.number);
    const directory = this.directory(number);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    await fill?.(directory);
    chownSync(directory, uid, gid);
    chmodSync(directory, mode);
    return number;
  }

  #release(number: number): void {
    const left = (this.#users.get(number) ?? 0) - 1;
    if (left > 0) this.#users.set(number, left);
    else this.#users.delete(number);
  }

  isUsed(number: number): boolean {
    return this.#users.has(number);
  }
}
