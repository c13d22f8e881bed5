import { invalid } from "../../lib/errors.ts";
import type { ImageContext } from "../context.ts";
import { sha256 } from "../document.ts";
import { type Descriptor, type Manifest, parseManifest } from "../manifest.ts";
import { choosePlatform, formatPlatform } from "../platform.ts";
import { parseReference, type Reference, withDefaultTag } from "../reference.ts";
import type { Platform } from "../types.ts";
import { addImage } from "./add.ts";
import type { LoadedImage } from "./docker.ts";
import type { ArchiveParts } from "./parts.ts";

export const ociIndex = "index.json";

/** How deep indexes may be nested. */
const maxDepth = 4;

const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

/** Loads the images of an OCI image layout; of those made for several platforms, the one asked for. */
export async function loadOciLayout(
  context: ImageContext,
  parts: ArchiveParts,
  platform: Platform,
): Promise<LoadedImage[]> {
  const index = parseManifest(parts.document(ociIndex));
  if (index.kind !== "index") throw invalid("invalid OCI image layout: index.json is not an index");
  const loaded: LoadedImage[] = [];
  for (const descriptor of index.manifests) {
    // Signatures and other things that belong to an image say what they are.
    if (descriptor.platform?.os === "unknown") continue;
    const manifest = imageManifest(parts, descriptor, platform, 0);
    const id = await loadManifest(context, parts, manifest);
    loaded.push({ id, names: nameOf(descriptor) });
  }
  return loaded;
}

function blob(parts: ArchiveParts, descriptor: Descriptor): Buffer {
  const data = parts.document(blobName(descriptor.digest));
  const actual = sha256(data);
  if (actual !== descriptor.digest) throw wrongDigest(descriptor.digest, actual);
  if (data.length !== descriptor.size) throw wrongSize(descriptor, data.length);
  return data;
}

const wrongDigest = (expected: string, actual: string): Error =>
  invalid(`wrong digest: expected ${expected}, got ${actual}`);

const wrongSize = (descriptor: Descriptor, actual: number): Error =>
  invalid(`wrong size of ${descriptor.digest}: expected ${descriptor.size}, got ${actual}`);

function imageManifest(
  parts: ArchiveParts,
  descriptor: Descriptor,
  platform: Platform,
  depth: number,
): Manifest {
  const parsed = parseManifest(blob(parts, descriptor), descriptor.mediaType);
  if (parsed.kind === "manifest") return parsed;
  if (depth === maxDepth) throw invalid(`indexes are nested more than ${maxDepth} deep`);
  // Archives often hold only some of the platforms that an index names.
  const present = parsed.manifests.filter(({ digest }) => parts.has(blobName(digest)));
  const chosen = choosePlatform(platform, present);
  if (!chosen) throw invalid(`no image for ${formatPlatform(platform)} in the archive`);
  return imageManifest(parts, chosen, platform, depth + 1);
}

async function loadManifest(context: ImageContext, parts: ArchiveParts, manifest: Manifest): Promise<string> {
  for (const layer of manifest.layers) {
    const { packedDigest, packedSize } = await parts.layer(blobName(layer.digest));
    if (packedDigest !== undefined && packedDigest !== layer.digest)
      throw wrongDigest(layer.digest, packedDigest);
    if (packedSize !== undefined && packedSize !== layer.size) throw wrongSize(layer, packedSize);
  }
  const members = manifest.layers.map(({ digest }) => blobName(digest));
  return addImage(context, parts, blob(parts, manifest.config), members);
}

/** Containerd writes the whole name; others a name or only a tag, which alone names nothing. */
function nameOf({ annotations }: Descriptor): Reference[] {
  const whole = annotations["io.containerd.image.name"];
  const short = annotations["org.opencontainers.image.ref.name"];
  const text = whole ?? (short !== undefined && /[:/]/.test(short) ? short : undefined);
  if (text === undefined) return [];
  const { domain, path, tag } = withDefaultTag(parseReference(text));
  return [{ domain, path, tag: tag ?? "latest" }];
}
