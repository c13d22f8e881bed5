import type { ImageConfig } from "@docker/node-sdk";
import { system } from "../lib/errors.ts";
import { applyChanges } from "./change.ts";
import type { ImageContext } from "./context.ts";
import { hasEntries, sha256 } from "./document.ts";
import { importLayer, importName } from "./import.ts";
import type { Layer } from "./layers.ts";
import { canonical, familiar } from "./reference.ts";
import type { CommitRequest, HistoryEntry, ImageDocument } from "./types.ts";

/** The digest of an archive without members, which Docker does not make a layer of. */
const emptyArchive = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/** See `Images.commit`. */
export async function commitImage(context: ImageContext, request: CommitRequest): Promise<string> {
  // What is asked for is checked before anything is read.
  const name = importName(request);
  const config = applyChanges(request.config, request.changes ?? []);
  const held = context.layers.of("container", request.containerId);
  const below = [...held];
  // The container may be removed meanwhile.
  for (const layer of held) context.layers.hold(layer);
  try {
    const added = await importLayer(context, request.changed, below);
    held.push(added);
    const layers = added.diffId === emptyArchive ? below : [...below, added];
    const created = new Date();
    const document = describe(context, request, { config, layers, created: created.toISOString() });
    const bytes = Buffer.from(JSON.stringify(document));
    const id = sha256(bytes);
    context.records.add({
      id,
      config: bytes,
      layers: layers.map((layer) => layer.id),
      size: layers.reduce((sum, layer) => sum + layer.size, 0),
      created: Math.floor(created.getTime() / 1000),
      parent: request.imageId,
    });
    if (name) {
      context.records.setTag(canonical(name), id);
      context.emit({ action: "tag", id, attributes: { name: familiar(name) } });
    }
    return id;
  } finally {
    for (const layer of held) context.layers.release(layer);
    await context.layers.collect();
  }
}

interface New {
  config: ImageConfig;
  layers: Layer[];
  created: string;
}

function describe(
  context: ImageContext,
  request: CommitRequest,
  { config, layers, created }: New,
): ImageDocument {
  const base = context.records.get(request.imageId)?.document;
  const { author, comment } = request;
  const diffIds = layers.map(({ diffId }) => diffId);
  const step: HistoryEntry = {
    created,
    created_by: request.createdBy,
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
    ...(diffIds.length === (base?.rootfs.diff_ids.length ?? 0) ? { empty_layer: true } : {}),
  };
  if (!base && layers.length === 0) throw system(`the image of container ${request.containerId} is gone`);
  return {
    created,
    ...(author ? { author } : {}),
    architecture: base?.architecture ?? "",
    ...(base?.variant ? { variant: base.variant } : {}),
    os: base?.os ?? "linux",
    config: withoutEmpty(config),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [...(base?.history ?? []), step],
  };
}

/** A container's configuration says of much that it is not set. */
function withoutEmpty(config: ImageConfig): ImageConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => hasEntries(value)));
}
