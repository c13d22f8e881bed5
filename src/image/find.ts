import { type BerthError, notFound } from "../lib/errors.ts";
import type { ImageRecord, ImageRecords } from "./records.ts";
import {
  canonical,
  familiar,
  isDigest,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from "./reference.ts";

/**
 * The image that a name, an id or the beginning of an id stands for. Throws NOT_FOUND, or
 * INVALID_PARAMETER for what cannot be a name, both with dockerd's words.
 */
export function findImage(records: ImageRecords, ref: string): ImageRecord {
  const id = /^[0-9a-f]{64}$/.test(ref) ? `sha256:${ref}` : ref;
  if (isDigest(id)) {
    const record = records.get(id);
    if (!record) throw noSuchImage(id);
    return record;
  }
  const reference = parseReference(ref);
  const found = byName(records, reference) ?? byPrefix(records, ref);
  const record = found === undefined ? undefined : records.get(found);
  if (!record) throw noSuchImage(familiar(withDefaultTag(reference)));
  return record;
}

export const noSuchImage = (name: string): BerthError => notFound(`No such image: ${name}`);

function byName(records: ImageRecords, reference: Reference): string | undefined {
  // With a digest the tag says nothing more.
  if (reference.digest !== undefined) return records.byDigest(repositoryOf(reference), reference.digest);
  return records.byTag(canonical(withDefaultTag(reference)));
}

function byPrefix(records: ImageRecords, ref: string): string | undefined {
  const hex = ref.startsWith("sha256:") ? ref.slice("sha256:".length) : ref;
  return /^[0-9a-f]{1,64}$/.test(hex) ? records.byPrefix(hex) : undefined;
}

/** Whether `ref` is an id or the beginning of one rather than a name. */
export function isIdOf(id: string, ref: string): boolean {
  return id.startsWith(ref) || id.slice("sha256:".length).startsWith(ref);
}
