import type { HistoryResponseItem, ImageInspect } from "@docker/node-sdk";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import { shortNames } from "./list.ts";
import type { ImageRecord } from "./records.ts";
import type { ImageDocument } from "./types.ts";

/** The time Go writes for none. */
const noTime = "0001-01-01T00:00:00Z";

/** See `Images.inspect`. */
export function inspectImage(context: ImageContext, ref: string): ImageInspect {
  const record = findImage(context.records, ref);
  const { document } = record;
  const names = shortNames(context, record.id);
  return {
    Id: record.id,
    RepoTags: names.tags,
    RepoDigests: names.digests,
    Parent: context.records.parentOf(record.id) ?? "",
    Comment: comment(document),
    Created: document.created ?? noTime,
    DockerVersion: document.docker_version ?? "",
    Author: document.author ?? "",
    Config: document.config ?? {},
    Architecture: document.architecture,
    ...(document.variant ? { Variant: document.variant } : {}),
    Os: document.os,
    ...(document["os.version"] ? { OsVersion: document["os.version"] } : {}),
    Size: record.size,
    GraphDriver: graphDriver(context, record),
    RootFS: {
      Type: document.rootfs.type ?? "layers",
      ...(document.rootfs.diff_ids.length > 0 ? { Layers: document.rootfs.diff_ids } : {}),
    },
    Metadata: { LastTagTime: record.tagged === 0 ? noTime : new Date(record.tagged).toISOString() },
  };
}

/** The image's own comment, else that of its last step. */
function comment(document: ImageDocument): string {
  return document.comment || document.history?.at(-1)?.comment || "";
}

/** The layers as Docker's overlay2 driver shows them: the topmost as the upper one. */
function graphDriver(
  context: ImageContext,
  record: ImageRecord,
): { Name: string; Data: Record<string, string> } {
  const [upper, ...lower] = layerDirectories(context, record.id);
  return {
    Data: {
      ...(lower.length > 0 ? { LowerDir: lower.join(":") } : {}),
      ...(upper === undefined ? {} : { UpperDir: upper }),
    },
    Name: "overlay2",
  };
}

/** Absolute directories of an image's layers, topmost first. */
export function layerDirectories(context: ImageContext, id: string): string[] {
  return context.layers
    .of("image", id)
    .map((layer) => context.layers.directory(layer.id))
    .reverse();
}

/** See `Images.history`. */
export function imageHistory(context: ImageContext, ref: string): HistoryResponseItem[] {
  const { id, document } = findImage(context.records, ref);
  const sizes = context.layers.of("image", id).map(({ size }) => size);
  const items: HistoryResponseItem[] = [];
  let next = 0;
  for (const entry of document.history ?? []) {
    const milliseconds = Date.parse(entry.created ?? "");
    items.unshift({
      Id: "<missing>",
      Created: Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000),
      CreatedBy: entry.created_by ?? "",
      Tags: [],
      Size: entry.empty_layer ? 0 : (sizes[next++] ?? 0),
      Comment: entry.comment ?? "",
    });
  }
  // Only images have ids and names: the image itself, and those that it was committed from.
  let image: string | undefined = id;
  for (const item of items) {
    if (image === undefined) break;
    item.Id = image;
    item.Tags = shortNames(context, image).tags;
    image = context.records.parentOf(image);
  }
  return items;
}
