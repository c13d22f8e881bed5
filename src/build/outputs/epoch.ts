import type { ImageBuilding } from "../../image/building.ts";
import type { Layer } from "../../image/layers.ts";
import { invalid } from "../../lib/errors.ts";
import type { StepCache } from "../cache.ts";
import { keyOf } from "../key.ts";
import type { BuiltImage } from "../running-build.ts";
import type { BuildRequest } from "../types.ts";
import { clampTimes } from "./clamp-times.ts";

/** The time that SOURCE_DATE_EPOCH gives a build: nothing of it is younger. Throws INVALID_PARAMETER. */
export function sourceDate({ buildArgs }: Pick<BuildRequest, "buildArgs">): number | undefined {
  const text = buildArgs?.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  // Twelve octal digits are what an archive has room for.
  if (!/^\d+$/.test(text) || seconds >= 8 ** 11)
    throw invalid(`invalid SOURCE_DATE_EPOCH ${JSON.stringify(text)}: must be seconds since 1970`);
  return seconds;
}

/** The same image as if it had been made at a time in the past: whenever that is done the same comes out. */
export async function datedImage(
  image: BuiltImage,
  epoch: number,
  { images, cache, keep }: { images: ImageBuilding; cache: StepCache; keep: (layer: Layer) => void },
): Promise<BuiltImage> {
  const { document, layers, inherited } = image;
  const date = new Date(epoch * 1000).toISOString().replace(/\.000Z$/, "Z");
  const dated: Layer[] = [];
  for (const [index, layer] of layers.entries()) {
    dated.push(index < inherited.layers ? layer : await datedLayer(layer, epoch, { images, cache, keep }));
  }
  return {
    ...image,
    layers: dated,
    document: {
      ...document,
      created: date,
      history: document.history?.map((entry, index) =>
        index < inherited.history && !(Date.parse(entry.created ?? "") > epoch * 1000)
          ? entry
          : { ...entry, created: date },
      ),
      rootfs: { type: "layers", diff_ids: dated.map(({ diffId }) => diffId) },
    },
  };
}

async function datedLayer(
  layer: Layer,
  epoch: number,
  { images, cache, keep }: { images: ImageBuilding; cache: StepCache; keep: (layer: Layer) => void },
): Promise<Layer> {
  const key = keyOf("dated", layer.diffId, epoch);
  const found = cache.find(key)?.layer;
  const dated = found ?? (await images.rewrite(layer, (archive) => clampTimes(archive, epoch)));
  keep(dated);
  if (!found && dated.id !== layer.id)
    cache.keep(key, "dated", `times no later than ${new Date(epoch * 1000).toISOString()}`, {
      layer: dated,
      created: new Date(epoch * 1000).toISOString(),
    });
  return dated;
}
