import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGzip } from "node:zlib";
import type { ImageContext } from "../context.ts";
import type { Layer } from "../layers.ts";
import type { Descriptor } from "../manifest.ts";
import type { Blob } from "./upload.ts";

/** Higher costs much time and wins little. */
const level = 4;

const types: Record<string, string> = {
  plain: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
};

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
      mediaType: types[String(row.packing)] ?? "",
      size: Number(row.size),
      kept: row.kept === 1,
    }));
}

/** A blob of the content store. */
export function storedBlob(context: ImageContext, { digest, size }: { digest: string; size: number }): Blob {
  return {
    digest,
    size,
    async read(offset, length) {
      const file = await open(context.content.path(digest));
      try {
        const data = Buffer.alloc(length);
        const { bytesRead } = await file.read(data, 0, length, offset);
        return data.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/**
 * Compresses a layer's archive into the content store and remembers its digest. The blob is held like a
 * kept one until `forgetPacked`.
 */
export async function packLayer(context: ImageContext, layer: Layer): Promise<PackedDescriptor> {
  const writer = await context.content.writer();
  let size = 0;
  try {
    const packed = pipeline(context.layers.archive(layer), createGzip({ level }), () => undefined);
    for await (const chunk of packed) {
      size += chunk.length;
      await writer.write(chunk);
    }
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const digest = await writer.commitAny();
  context.state.db
    .prepare("INSERT OR REPLACE INTO packed_layers VALUES (?, ?, 'gzip', ?, 1)")
    .run(digest, layer.id, size);
  return { digest, mediaType: types.gzip ?? "", size };
}

/** Drops the bytes of a packed form that can be made again; its digest stays known. */
export async function forgetPacked(context: ImageContext, digest: string): Promise<void> {
  context.state.db.prepare("UPDATE packed_layers SET kept = 0 WHERE digest = ?").run(digest);
  await context.content.remove(digest);
}
