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

  keep(key: string, kind: string, description: string, { layer, created }: Outcome): void {
    this.#state
      .statement("INSERT OR REPLACE INTO build_steps VALUES (?, ?, ?, ?, ?, ?, ?, 1)")
      .run(key, kind, description, layer?.id ?? null, layer?.size ?? 0, created, Date.now());
  }
}
