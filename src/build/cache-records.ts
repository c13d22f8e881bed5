import type { Layer } from "../image/layers.ts";
import type { ImageDocument } from "../image/types.ts";

/** The outcome of a step that a build had, as it may be given to others. */
export interface StepRecord {
  key: string;
  kind: string;
  description: string;
  layer: Layer | null;
  created: string;
  /** The stage that it was a step of. */
  stage: number;
}

/** The same in an image's configuration: the layer by its place in the image, null for none. */
export interface CacheEntry {
  key: string;
  kind: string;
  description: string;
  layer: number | null;
  created: string;
}

/** Where a configuration has the outcomes of steps. */
const field = "berth.build-cache";

interface CachedDocument extends ImageDocument {
  [field]: { version: number; entries: CacheEntry[] };
}

const limits = { entries: 100_000, text: 100_000 };

/** The configuration of an image, with the outcomes whose layers it has. */
export function withCache(
  document: ImageDocument,
  records: readonly StepRecord[],
  layers: readonly Layer[],
): CachedDocument {
  const places = new Map(layers.map(({ diffId }, place) => [diffId, place]));
  const entries = records.flatMap(({ key, kind, description, layer, created }): CacheEntry[] => {
    const place = layer === null ? null : places.get(layer.diffId);
    return place === undefined ? [] : [{ key, kind, description, layer: place, created }];
  });
  return { ...document, [field]: { version: 1, entries } };
}

/** An image that is made for its cache alone: layers that are no stack, each once. */
export function cacheImage(
  { architecture, os, variant }: ImageDocument,
  records: readonly StepRecord[],
): { document: ImageDocument; layers: Layer[] } {
  const layers = [
    ...new Map(records.flatMap(({ layer }) => (layer ? [[layer.diffId, layer]] : []))).values(),
  ];
  const document: ImageDocument = {
    architecture,
    os,
    ...(variant ? { variant } : {}),
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  };
  return { document: withCache(document, records, layers), layers };
}

/** The outcomes that a configuration tells of; none where it is anything else. It is not trusted. */
export function readCache(config: Buffer): CacheEntry[] {
  const value: unknown = JSON.parse(config.toString("utf8"));
  const cache = isRecord(value) ? value[field] : undefined;
  if (!isRecord(cache) || cache.version !== 1 || !Array.isArray(cache.entries)) return [];
  return cache.entries.slice(0, limits.entries).filter(isEntry);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEntry(value: unknown): value is CacheEntry {
  if (!isRecord(value)) return false;
  const { key, kind, description, layer, created } = value;
  return (
    typeof key === "string" &&
    /^[0-9a-f]{64}$/.test(key) &&
    [kind, description].every((text) => typeof text === "string" && text.length < limits.text) &&
    typeof created === "string" &&
    !Number.isNaN(Date.parse(created)) &&
    (layer === null || (typeof layer === "number" && Number.isSafeInteger(layer) && layer >= 0))
  );
}
