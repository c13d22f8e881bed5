import type { ImageBuilding } from "../image/building.ts";
import type { Layer } from "../image/layers.ts";
import type { State } from "../state/index.ts";

/** What a step made, kept under all that it depends on. */
export interface Outcome {
  /** Null when it changed no file. Held when there is one. */
  layer: Layer | null;
  /** When it was made first; RFC 3339. */
  created: string;
}

/** The outcomes of steps. They survive restarts; a layer that the cache knows is not collected. */
export class StepCache {
  readonly #state: State;
  readonly #images: ImageBuilding;
  /** What is being made now. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(state: State, images: ImageBuilding) {
    this.#state = state;
    this.#images = images;
  }

  find(key: string): Outcome | undefined {
    const row = this.#state.statement("SELECT layer, created FROM build_steps WHERE key = ?").get(key);
    if (!row) return undefined;
    const layer = row.layer === null ? null : this.#images.take(Number(row.layer));
    if (layer === undefined) return undefined;
    this.#state
      .statement("UPDATE build_steps SET last_used = ?, uses = uses + 1 WHERE key = ?")
      .run(Date.now(), key);
    return { layer, created: String(row.created) };
  }

  /**
   * Does something that gives an outcome unless it is known already, and once only when several want it at
   * the same time. `fresh` does it whatever is known.
   */
  async once(
    key: string,
    {
      fresh,
      signal,
      further,
      make,
    }: {
      fresh: boolean;
      signal: AbortSignal;
      /** Where else it may be known. */
      further: (key: string) => Promise<Outcome | undefined>;
      make: () => Promise<Outcome>;
    },
  ): Promise<{ outcome: Outcome; cached: boolean }> {
    for (let running = this.#running.get(key); running; running = this.#running.get(key)) {
      await Promise.race([running, aborted(signal)]);
      signal.throwIfAborted();
      const made = this.find(key);
      if (made) return { outcome: made, cached: true };
    }
    const found = fresh ? undefined : this.find(key);
    if (found) return { outcome: found, cached: true };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(key, promise);
    try {
      const given = fresh ? undefined : await further(key);
      return given ? { outcome: given, cached: true } : { outcome: await make(), cached: false };
    } finally {
      this.#running.delete(key);
      resolve();
    }
  }

  keep(key: string, kind: string, description: string, { layer, created }: Outcome): void {
    this.#state
      .statement("INSERT OR REPLACE INTO build_steps VALUES (?, ?, ?, ?, ?, ?, ?, 1)")
      .run(key, kind, description, layer?.id ?? null, layer?.size ?? 0, created, Date.now());
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
