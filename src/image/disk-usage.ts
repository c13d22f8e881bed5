import type { ImageSummary } from "@docker/node-sdk";
import type { ImageContext } from "./context.ts";
import { listImages } from "./list.ts";

/** What images take on the disk. */
export interface ImageDiskUsage {
  /** All that images and containers stand on, once. */
  layersSize: number;
  images: ImageSummary[];
}

/** See `Images.diskUsage`. */
export function imageDiskUsage(context: ImageContext): ImageDiskUsage {
  const counts = new Map<string, number>();
  for (const { imageId } of context.users()) counts.set(imageId, (counts.get(imageId) ?? 0) + 1);
  const packed = packedSizes(context);
  const images = listImages(context, { sharedSize: true });
  for (const image of images) {
    const { all, shared } = packed.get(image.Id) ?? { all: 0, shared: 0 };
    image.Containers = counts.get(image.Id) ?? 0;
    image.Size += all;
    image.SharedSize += shared;
  }
  return { layersSize: layersSize(context), images };
}

/** Bytes of the packed forms that are kept beside an image's layers, and of those of layers that others have too. */
function packedSizes({ state }: ImageContext): Map<string, { all: number; shared: number }> {
  const rows = state.db
    .prepare(
      `SELECT i.image, sum(p.size) AS size,
         sum(CASE WHEN (SELECT count(DISTINCT o.image) FROM image_layers o WHERE o.layer = i.layer) > 1
             THEN p.size ELSE 0 END) AS shared
       FROM image_layers i JOIN packed_layers p ON p.layer = i.layer AND p.kept = 1 GROUP BY i.image`,
    )
    .all();
  return new Map(
    rows.map((row) => [String(row.image), { all: Number(row.size), shared: Number(row.shared) }]),
  );
}

/** Layers that only builds remember are the build cache's. */
function layersSize({ state }: ImageContext): number {
  const row = state.db
    .prepare(
      `SELECT coalesce(sum(l.size + coalesce(
         (SELECT sum(p.size) FROM packed_layers p WHERE p.layer = l.id AND p.kept = 1), 0)), 0) AS size
       FROM layers l
       WHERE l.id IN (SELECT layer FROM image_layers) OR l.id IN (SELECT layer FROM container_layers)`,
    )
    .get();
  return Number(row?.size ?? 0);
}
