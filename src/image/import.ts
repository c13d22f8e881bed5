import { Readable } from "node:stream";
import { withoutRareCompression } from "../lib/decompress.ts";
import { invalid } from "../lib/errors.ts";
import { applyChanges } from "./change.ts";
import type { ImageContext } from "./context.ts";
import { sha256 } from "./document.ts";
import type { Layer } from "./layers.ts";
import { hostPlatform, parsePlatform } from "./platform.ts";
import { canonical, familiar, parseReference, withDefaultTag } from "./reference.ts";
import type { ImageDocument, ImportOptions } from "./types.ts";

/** See `Images.import`. */
export async function importImage(
  context: ImageContext,
  tar: AsyncIterable<Buffer>,
  options: ImportOptions = {},
): Promise<string> {
  // What is asked for is checked before the archive is read.
  const name = importName(options);
  const config = applyChanges({}, options.changes ?? []);
  const platform = options.platform ? parsePlatform(options.platform) : hostPlatform;
  const layer = await importLayer(context, await withoutRareCompression(Readable.from(tar)));
  try {
    const created = new Date().toISOString();
    const comment = options.message || undefined;
    const document: ImageDocument = {
      ...platform,
      ...(comment === undefined ? {} : { comment }),
      created,
      config,
      rootfs: { type: "layers", diff_ids: [layer.diffId] },
      history: [{ created, ...(comment === undefined ? {} : { comment }) }],
    };
    const bytes = Buffer.from(JSON.stringify(document));
    const id = sha256(bytes);
    const seconds = Math.floor(Date.parse(created) / 1000);
    context.records.add({ id, config: bytes, layers: [layer.id], size: layer.size, created: seconds });
    if (name) context.records.setTag(canonical(name), id);
    context.emit({ action: "import", id, attributes: { name: name ? familiar(name) : id } });
    return id;
  } finally {
    context.layers.release(layer);
  }
}

/** The name that a new image is to have, with `latest` for a tag; undefined for none. */
export function importName({ repo, tag }: Pick<ImportOptions, "repo" | "tag">) {
  if (!repo) return undefined;
  const reference = parseReference(tag ? `${repo}:${tag}` : repo);
  if (reference.digest !== undefined) throw invalid("cannot import digest reference");
  return withDefaultTag(reference);
}

/** Unpacks an archive as a layer above others, lowest first. The layer is held. */
export async function importLayer(
  context: ImageContext,
  tar: AsyncIterable<Buffer>,
  below: readonly Layer[] = [],
): Promise<Layer> {
  const writer = await context.layers.begin();
  try {
    for await (const chunk of tar) if (!(await writer.write(chunk))) break;
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return context.layers.adopt(await writer.finish(), below);
}
