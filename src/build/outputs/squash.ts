import type { ImageBuilding } from "../../image/building.ts";
import type { Layer } from "../../image/layers.ts";
import { system } from "../../lib/errors.ts";
import type { FileWorker } from "../../lib/file-worker.ts";
import type { StepCache } from "../cache.ts";
import { sealWith } from "../context/files.ts";
import { keyOf } from "../key.ts";
import type { BuiltImage } from "../running-build.ts";

interface Tools {
  images: ImageBuilding;
  cache: StepCache;
  files: FileWorker;
  keep: (layer: Layer) => void;
}

/** The same image with one layer in place of those that the build has added. */
export async function squashedImage(image: BuiltImage, tools: Tools): Promise<BuiltImage> {
  const { document, layers, inherited } = image;
  const below = layers.slice(0, inherited.layers);
  const own = await mergedLayer(layers.slice(inherited.layers), tools);
  const all = own ? [...below, own] : below;
  const id = tools.images.idOf(Buffer.from(JSON.stringify(document)));
  return {
    ...image,
    layers: all,
    document: {
      ...document,
      history: [
        ...(document.history ?? []).map((entry, index) =>
          index < inherited.history ? entry : { ...entry, empty_layer: true },
        ),
        {
          ...(document.created ? { created: document.created } : {}),
          comment: inherited.id === "" ? `create new from ${id}` : `merge ${id} to ${inherited.id}`,
          ...(own ? {} : { empty_layer: true }),
        },
      ],
      rootfs: { type: "layers", diff_ids: all.map(({ diffId }) => diffId) },
    },
  };
}

async function mergedLayer(layers: readonly Layer[], tools: Tools): Promise<Layer | undefined> {
  const { images, cache, files, keep } = tools;
  if (layers.length <= 1) return layers[0];
  const key = keyOf(
    "squashed",
    layers.map(({ diffId }) => diffId),
  );
  const found = cache.find(key)?.layer;
  if (found) {
    keep(found);
    return found;
  }
  const directory = await images.beginDirectory();
  try {
    const lowestFirst = images.directories(layers).reverse();
    await files.run(["merge", `${directory}/fs`, ...lowestFirst]);
    const made = await images.seal(directory, sealWith(files));
    if (!made) throw system("the layers of the build came to nothing");
    keep(made);
    const created = new Date().toISOString();
    cache.keep(key, "squashed", `${layers.length} layers in one`, { layer: made, created });
    return made;
  } catch (error) {
    await images.discard(directory);
    throw error;
  }
}
