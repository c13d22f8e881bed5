import { Readable } from "node:stream";
import { invalid, system } from "../lib/errors.ts";
import { padding } from "../lib/tar/entry.ts";
import { tarEnd, tarHeader } from "../lib/tar/write.ts";
import type { ImageContext } from "./context.ts";
import { sha256 } from "./document.ts";
import { findImage, isIdOf } from "./find.ts";
import type { Layer } from "./layers.ts";
import {
  canonical,
  familiar,
  familiarRepository,
  isDigest,
  parseReference,
  repositoryOf,
  splitStored,
} from "./reference.ts";

/** An image and the names under which it is saved, complete. */
interface Chosen {
  id: string;
  names: string[];
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** Layers that were found in their stacks, by the digest of their archives. */
type Layers = Map<string, { layer: Layer; size: number }>;

/** See `Images.save`. */
export async function saveImages(context: ImageContext, refs: readonly string[]): Promise<Readable> {
  const chosen = chooseImages(context, refs);
  const layers: Layers = new Map();
  const documents = new Map<string, Buffer>();
  const manifests: Descriptor[] = [];
  const items: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  const held: Layer[] = [];
  for (const { id, names } of chosen) {
    const own = context.layers.of("image", id);
    for (const layer of own) {
      context.layers.hold(layer);
      held.push(layer);
      if (!layers.has(layer.diffId))
        layers.set(layer.diffId, { layer, size: await context.layers.archiveSize(layer) });
    }
    const manifest = describe(context, id, own, layers, documents);
    manifests.push(...annotated(manifest, names));
    items.push({
      Config: blobName(id),
      RepoTags: names.map((name) => familiar(parseReference(name))),
      Layers: own.map(({ diffId }) => blobName(diffId)),
    });
    for (const name of names) {
      const { repository, tag } = splitStored(name);
      repositories[familiarRepository(repository)] = {
        ...repositories[familiarRepository(repository)],
        [tag]: own.at(-1)?.diffId.slice("sha256:".length) ?? "",
      };
    }
    context.emit({ action: "save", id, attributes: { name: id } });
  }
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const files: [string, Buffer][] = [
    ["index.json", json({ schemaVersion: 2, mediaType, manifests })],
    ["manifest.json", json(items)],
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
    ["repositories", json(repositories)],
  ];
  const release = (): void => {
    for (const layer of held) context.layers.release(layer);
  };
  return Readable.from(archive(context, documents, layers, files, release), {
    objectMode: false,
    highWaterMark: 1 << 20,
  });
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

/** What each reference stands for; the same image asked for twice is saved once, with all names. */
function chooseImages(context: ImageContext, refs: readonly string[]): Chosen[] {
  const chosen = new Map<string, Set<string>>();
  const add = (id: string, name?: string): void => {
    const names = chosen.get(id) ?? new Set();
    if (name !== undefined) names.add(name);
    chosen.set(id, names);
  };
  for (const ref of refs) {
    const all = allTags(context, ref);
    for (const [name, id] of all) add(id, name);
    if (all.length > 0) continue;
    const { id } = findImage(context.records, ref);
    if (isIdOf(id, ref)) add(id);
    else {
      const reference = parseReference(ref);
      add(id, reference.tag === undefined ? undefined : canonical({ ...reference, digest: undefined }));
    }
  }
  if (chosen.size === 0) throw invalid("no images were named");
  return [...chosen].map(([id, names]) => ({ id, names: [...names] }));
}

/** The stored names of a repository that is named without a tag. */
function allTags(context: ImageContext, ref: string): [name: string, id: string][] {
  if (isDigest(ref) || /^[0-9a-f]{64}$/.test(ref)) return [];
  const reference = parseReference(ref);
  if (reference.tag !== undefined || reference.digest !== undefined) return [];
  return context.records.tagsOf(repositoryOf(reference));
}

/** Makes the OCI manifest of an image with plain layers; its blobs go to `documents`. */
function describe(
  context: ImageContext,
  id: string,
  own: Layer[],
  layers: Layers,
  documents: Map<string, Buffer>,
): Descriptor {
  const config = context.records.config(id);
  if (!config) throw system(`the configuration of ${id} is gone`);
  documents.set(id, config);
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = json({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: id, size: config.length },
    layers: own.map(({ diffId }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: diffId,
      size: layers.get(diffId)?.size ?? 0,
    })),
  });
  const digest = sha256(manifest);
  documents.set(digest, manifest);
  return { mediaType, digest, size: manifest.length };
}

/** An index has an entry for each name. */
function annotated(manifest: Descriptor, names: string[]): Descriptor[] {
  if (names.length === 0) return [manifest];
  return names.map((name) => ({
    ...manifest,
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": splitStored(name).tag,
    },
  }));
}

async function* archive(
  context: ImageContext,
  documents: Map<string, Buffer>,
  layers: Layers,
  files: [string, Buffer][],
  release: () => void,
): AsyncGenerator<Buffer> {
  try {
    for (const name of ["blobs/", "blobs/sha256/"]) yield tarHeader({ name, type: "directory" });
    for (const [digest, data] of documents) yield* member(blobName(digest), data);
    for (const [diffId, { layer, size }] of layers) yield* layerMember(context, diffId, layer, size);
    for (const [name, data] of files) yield* member(name, data);
    yield tarEnd;
  } finally {
    release();
  }
}

function* member(name: string, data: Buffer): Generator<Buffer> {
  yield tarHeader({ name, size: data.length });
  yield data;
  yield Buffer.alloc(padding(data.length));
}

async function* layerMember(
  context: ImageContext,
  diffId: string,
  layer: Layer,
  size: number,
): AsyncGenerator<Buffer> {
  yield tarHeader({ name: blobName(diffId), size });
  let sent = 0;
  for await (const chunk of context.layers.archive(layer)) {
    sent += chunk.length;
    yield chunk;
  }
  // What has been sent cannot be taken back; an archive cut short is refused by whoever reads it.
  if (sent !== size) throw system(`layer ${diffId} has ${sent} bytes instead of ${size}`);
  yield Buffer.alloc(padding(size));
}
