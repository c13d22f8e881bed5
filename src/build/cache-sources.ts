import type { ImageBuilding } from "../image/building.ts";
import type { Layer } from "../image/layers.ts";
import { parseReference } from "../image/reference.ts";
import { BerthError } from "../lib/errors.ts";
import type { Outcome, StepCache } from "./cache.ts";
import { type CacheEntry, readCache } from "./cache-records.ts";
import type { BuildRequest } from "./types.ts";

interface Source {
  entries: ReadonlyMap<string, CacheEntry>;
  /** A layer by its place, held. */
  layer(place: number): Promise<Layer | undefined>;
}

/**
 * What other builds gave to this one: outcomes in images that are here or in registries. Of those in registries
 * only the layers that are of use are fetched. They are known to this build alone, until it uses them.
 */
export class CacheSources {
  readonly #sources: Promise<Source[]>;
  readonly #cache: StepCache;
  readonly #held: Layer[] = [];

  /** `onTrouble` is told of what cannot be read, which is no failure of the build. */
  constructor(
    parts: { images: ImageBuilding; cache: StepCache },
    request: Pick<BuildRequest, "cacheFrom" | "credentials" | "signal">,
    onTrouble: (message: string) => void,
  ) {
    this.#cache = parts.cache;
    const open = async (ref: string): Promise<Source[]> => {
      try {
        return [this.#local(parts.images, ref) ?? (await this.#remote(parts.images, ref, request))];
      } catch (error) {
        request.signal?.throwIfAborted();
        onTrouble(`no cache from ${ref}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }
    };
    this.#sources = Promise.all((request.cacheFrom ?? []).map(open)).then((found) => found.flat());
    this.#sources.catch(() => undefined);
  }

  /** The outcome of a step, from here on kept like one of an own build. Its layer is held. */
  async find(key: string): Promise<Outcome | undefined> {
    for (const { entries, layer } of await this.#sources) {
      const entry = entries.get(key);
      if (!entry) continue;
      const found = entry.layer === null ? null : await layer(entry.layer);
      if (found === undefined) continue;
      const outcome = { layer: found, created: entry.created };
      this.#cache.keep(key, entry.kind, entry.description, outcome);
      return outcome;
    }
    return undefined;
  }

  /** An image that is here. Its layers stay until `release`. */
  #local(images: ImageBuilding, ref: string): Source | undefined {
    try {
      const { config, layers } = images.contents(ref);
      this.#held.push(...layers);
      return {
        entries: byKey(readCache(config)),
        layer: async (place) => {
          const layer = layers[place];
          if (layer) images.hold(layer);
          return layer;
        },
      };
    } catch (error) {
      if (error instanceof BerthError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  async #remote(
    images: ImageBuilding,
    ref: string,
    { credentials, signal }: Pick<BuildRequest, "credentials" | "signal">,
  ): Promise<Source> {
    const image = await images.openRemote(ref, {
      credentials: credentials?.(parseReference(ref).domain),
      signal,
    });
    return { entries: byKey(readCache(image.config)), layer: (place) => image.layer(place) };
  }

  release(images: ImageBuilding): void {
    for (const layer of this.#held) images.release(layer);
    this.#held.length = 0;
  }
}

const byKey = (entries: readonly CacheEntry[]): Map<string, CacheEntry> =>
  new Map(entries.map((entry) => [entry.key, entry]));
