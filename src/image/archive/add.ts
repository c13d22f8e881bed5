import { invalid } from "../../lib/errors.ts";
import type { ImageContext } from "../context.ts";
import { createdSeconds, parseDocument, sha256 } from "../document.ts";
import { chainIds, type Layer } from "../layers.ts";
import type { ArchiveParts } from "./parts.ts";

/**
 * Adds an image of an archive to the store: its configuration and the members that are its layers,
 * lowest first. Resolves with its id. Rejects with INVALID_PARAMETER when they do not fit together.
 */
export async function addImage(
  context: ImageContext,
  parts: ArchiveParts,
  config: Buffer,
  members: string[],
): Promise<string> {
  const document = parseDocument(config);
  const diffIds = document.rootfs.diff_ids;
  if (document.os !== "linux") throw invalid(`cannot load ${document.os} image on linux`);
  if (members.length !== diffIds.length) {
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${members.length}, got ${diffIds.length}`,
    );
  }
  const layers: Layer[] = [];
  try {
    for (const [index, diffId] of diffIds.entries()) {
      layers.push(
        await addLayer(context, parts, members[index] ?? "", { index, diffId, diffIds, below: layers }),
      );
    }
    const id = sha256(config);
    parts.named.push(context.records.arrive(id));
    context.records.add({
      id,
      config,
      layers: layers.map((layer) => layer.id),
      size: layers.reduce((sum, layer) => sum + layer.size, 0),
      created: createdSeconds(document),
    });
    return id;
  } finally {
    for (const layer of layers) context.layers.release(layer);
  }
}

interface Place {
  index: number;
  diffId: string;
  diffIds: string[];
  below: Layer[];
}

/** The layer is held. */
async function addLayer(
  context: ImageContext,
  parts: ArchiveParts,
  member: string,
  place: Place,
): Promise<Layer> {
  const { index, diffId, diffIds, below } = place;
  const actual = await parts.layer(member);
  if (actual.diffId !== diffId) {
    throw invalid(`invalid diffID for layer ${index}: expected "${diffId}", got "${actual.diffId}"`);
  }
  const chainId = chainIds(diffIds.slice(0, index + 1)).at(-1) ?? diffId;
  const layer = context.layers.find(diffId, chainId) ?? (await parts.adopt(member, below));
  context.layers.hold(layer);
  return layer;
}
