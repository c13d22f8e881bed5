import type { Readable } from "node:stream";
import { decompressed } from "../lib/decompress.ts";
import { BerthError, invalid } from "../lib/errors.ts";
import { progressBar } from "../lib/progress.ts";
import { dockerManifest, type LoadedImage, loadDockerArchive } from "./archive/docker.ts";
import { loadOciLayout, ociIndex } from "./archive/oci.ts";
import { ArchiveParts, type OnLayerBytes } from "./archive/parts.ts";
import type { ImageContext } from "./context.ts";
import { hostPlatform, parsePlatform } from "./platform.ts";
import { canonical, familiar } from "./reference.ts";
import type { OnProgress } from "./types.ts";

export interface LoadOptions {
  quiet?: boolean;
  platform?: string;
  onProgress?: OnProgress;
}

/** See `Images.load`. */
export async function load(
  context: ImageContext,
  tar: Readable,
  options: LoadOptions = {},
): Promise<string[]> {
  const tell = options.onProgress ?? (() => undefined);
  const parts = new ArchiveParts(context.layers);
  try {
    await parts.read(openArchive(tar), options.quiet ? undefined : reportLayers(tell));
    const platform = options.platform === undefined ? hostPlatform : parsePlatform(options.platform);
    const loaded = await loadParts(context, parts, platform);
    return name(context, loaded, tell);
  } finally {
    await parts.close();
    // Layers of an image that turned out to be wrong further up.
    await context.layers.collect();
  }
}

async function* openArchive(tar: Readable): AsyncGenerator<Buffer> {
  try {
    yield* await decompressed(tar);
  } catch (error) {
    if (error instanceof BerthError) throw error;
    throw invalid(
      `unexpected end of the archive: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
}

function loadParts(
  context: ImageContext,
  parts: ArchiveParts,
  platform: typeof hostPlatform,
): Promise<LoadedImage[]> {
  // Archives for both kinds of reader have both files; manifest.json has the whole names.
  if (parts.has(dockerManifest)) return loadDockerArchive(context, parts);
  if (parts.has(ociIndex)) return loadOciLayout(context, parts, platform);
  throw invalid(`invalid archive: it has neither ${dockerManifest} nor ${ociIndex}`);
}

function name(context: ImageContext, loaded: LoadedImage[], tell: OnProgress): string[] {
  const said: string[] = [];
  for (const { id, names } of loaded) {
    for (const reference of names) {
      const ref = canonical(reference);
      const short = familiar(reference);
      const earlier = context.records.byTag(ref);
      if (earlier !== undefined && earlier !== id) {
        tell({
          stream: `The image ${short} already exists, renaming the old one with ID ${earlier} to empty string\n`,
        });
      }
      context.records.setTag(ref, id);
      tell({ stream: `Loaded image: ${short}\n` });
      said.push(short);
    }
    context.emit({ action: "load", id, attributes: { name: id } });
  }
  if (said.length > 0) return said;
  for (const { id } of loaded) tell({ stream: `Loaded image ID: ${id}\n` });
  return loaded.map(({ id }) => id);
}

/** At most ten lines a second for each layer, and one when it is complete. */
function reportLayers(tell: OnProgress): OnLayerBytes {
  let last = 0;
  return (member, current, total) => {
    const now = performance.now();
    if (current < total && now - last < 100) return;
    last = now;
    const id = (/[0-9a-f]{12}/.exec(member) ?? [member])[0];
    const progress = progressBar(current, total);
    tell({ status: "Loading layer", progressDetail: { current, total }, progress, id });
  };
}
