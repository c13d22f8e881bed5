import { pipeline } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import { passedThrough } from "../../lib/young-garbage.ts";
import type { ImageContext } from "../context.ts";
import type { Layer } from "../layers.ts";
import type { Descriptor } from "../manifest.ts";
import type { Blob } from "./upload.ts";

/** Higher costs much time and wins little. */
const level = 4;

/** How a layer's archive is packed. */
export type Packing = "plain" | "gzip" | "zstd";

export const packedTypes: Record<Packing, string> = {
  plain: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
};

const typeOf = (packing: string): string => new Map(Object.entries(packedTypes)).get(packing) ?? "";

/** A packed form of a layer, as a manifest names it. */
export type PackedDescriptor = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** The packed forms that a layer is known to have, whether their bytes are here or not. Compressed ones only. */
export function knownForms(context: ImageContext, layer: Layer): (PackedDescriptor & { kept: boolean })[] {
  return context.state.db
    .prepare(
      "SELECT digest, packing, size, kept FROM packed_layers WHERE layer = ? AND packing <> 'plain' ORDER BY kept DESC",
    )
    .all(layer.id)
    .map((row) => ({
      digest: String(row.digest),
      mediaType: typeOf(String(row.packing)),
      size: Number(row.size),
      kept: row.kept === 1,
    }));
}

/** A blob of the content store. */
export function storedBlob(context: ImageContext, { digest, size }: { digest: string; size: number }): Blob {
  return {
    digest,
    size,
    read: (offset, length) => context.content.read(digest, offset, length),
  };
}

/**
 * Compresses a layer's archive into the content store and remembers its digest. The blob is held like a
 * kept one until `forgetPacked`.
 */
export async function packLayer(
  context: ImageContext,
  layer: Layer,
  packing: "gzip" | "zstd" = "gzip",
): Promise<PackedDescriptor> {
  const writer = await context.content.writer();
  let size = 0;
  let digest: string;
  try {
    const packed = pipeline(
      context.layers.archive(layer),
      packing === "gzip" ? createGzip({ level, chunkSize: 64 * 1024 }) : createZstdCompress(),
      () => undefined,
    );
    for await (const chunk of packed) {
      size += chunk.length;
      passedThrough(chunk.length);
      await writer.write(chunk);
    }
    digest = await writer.finish();
    // From here on all at once: who is just about to forget the same form must see that it is in use.
    writer.place();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  context.state.db
    .prepare("INSERT OR REPLACE INTO packed_layers VALUES (?, ?, ?, ?, 1)")
    .run(digest, layer.id, packing, size);
  holdPacked(context, digest);
  return { digest, mediaType: packedTypes[packing], size };
}

/** How many use a packed form that goes when nobody does. */
const users = new WeakMap<ImageContext, Map<string, number>>();

function holdPacked(context: ImageContext, digest: string): void {
  const counts = users.get(context) ?? new Map<string, number>();
  users.set(context, counts);
  counts.set(digest, (counts.get(digest) ?? 0) + 1);
}

/** Keeps a packed form from going with whoever made it; false when it stays anyway. */
export function sharePacked(context: ImageContext, digest: string): boolean {
  if (!users.get(context)?.has(digest)) return false;
  holdPacked(context, digest);
  return true;
}

/** Drops the bytes of a packed form that can be made again when nobody uses them; its digest stays known. */
export async function forgetPacked(context: ImageContext, digest: string): Promise<void> {
  const counts = users.get(context);
  const left = (counts?.get(digest) ?? 0) - 1;
  if (left > 0) {
    counts?.set(digest, left);
    return;
  }
  counts?.delete(digest);
  context.state.db.prepare("UPDATE packed_layers SET kept = 0 WHERE digest = ?").run(digest);
  await context.content.remove(digest);
}
