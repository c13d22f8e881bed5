import { invalid } from "../../lib/errors.ts";
import type { ImageContext } from "../context.ts";
import { isRecord } from "../document.ts";
import { parseReference, type Reference } from "../reference.ts";
import { addImage } from "./add.ts";
import type { ArchiveParts } from "./parts.ts";

/** An image that came out of an archive, and the names it had there. */
export interface LoadedImage {
  id: string;
  names: Reference[];
}

interface Item {
  config: string;
  layers: string[];
  names: Reference[];
}

export const dockerManifest = "manifest.json";

/** Loads the images of an archive of `docker save`, which `manifest.json` lists. */
export async function loadDockerArchive(context: ImageContext, parts: ArchiveParts): Promise<LoadedImage[]> {
  const loaded: LoadedImage[] = [];
  for (const item of parseItems(parts.document(dockerManifest))) {
    const id = await addImage(context, parts, parts.document(item.config), item.layers);
    loaded.push({ id, names: item.names });
  }
  return loaded;
}

function parseItems(bytes: Buffer): Item[] {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw invalid(`invalid manifest: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (value === null) throw invalid("invalid manifest, manifest cannot be null (but can be [])");
  if (!Array.isArray(value)) throw invalid("invalid manifest: not a list");
  return value.map(parseItem);
}

function parseItem(value: unknown): Item {
  if (!isRecord(value) || typeof value.Config !== "string")
    throw invalid("invalid manifest: an image has no Config");
  const names = strings(value.RepoTags).map((text) => {
    const reference = parseReference(text);
    if (reference.tag === undefined) throw invalid(`invalid tag ${JSON.stringify(text)}`);
    return reference;
  });
  return { config: value.Config, layers: strings(value.Layers), names };
}

function strings(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw invalid("invalid manifest: not a list of strings");
  }
  return value;
}
