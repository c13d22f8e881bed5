import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { padding } from "../../lib/tar/entry.ts";
import { tarEnd, tarHeader } from "../../lib/tar/write.ts";
import type { ImageContext } from "../context.ts";
import { platformOf, sha256 } from "../document.ts";
import type { Layer } from "../layers.ts";
import { canonical, familiar, parseReference, splitStored, withDefaultTag } from "../reference.ts";
import {
  forgetPacked,
  knownForms,
  type PackedDescriptor,
  type Packing,
  packedTypes,
  packLayer,
  sharePacked,
} from "../registry/pack.ts";
import type { ImageDocument } from "../types.ts";
import type { Annotation } from "./annotations.ts";
import { type BuiltManifest, imageManifest, provenanceManifest, topManifest } from "./manifests.ts";

/** An image that is to be written, whether the store has it or not. */
export interface LayoutImage {
  document: ImageDocument;
  /** The exact bytes of the document. */
  config: Buffer;
  /** Lowest first; held by the caller until the archive is read. */
  layers: readonly Layer[];
  /** An SLSA predicate that goes with the image. */
  provenance?: object;
}

export interface LayoutOptions {
  names: readonly string[];
  compression: Packing;
  annotations: readonly Annotation[];
  /** With the files of `docker save` beside. */
  docker: boolean;
}

/** An OCI image layout as an archive. `digest` is that of its manifest or index. */
export interface Layout {
  digest: string;
  archive: Readable;
}

const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** A layer in the form in which it is written, and where its bytes are. */
interface Form {
  descriptor: PackedDescriptor;
  read: () => Readable;
  done: () => Promise<void>;
}

/** Writes images of different platforms as one OCI image layout. */
export async function layoutArchive(
  context: ImageContext,
  images: readonly LayoutImage[],
  options: LayoutOptions,
): Promise<Layout> {
  const forms = new Map<string, Form>();
  const members: BuiltManifest[] = [];
  const names = options.names.map((name) => withDefaultTag(parseReference(name)));
  try {
    for (const { document, config, layers, provenance } of images) {
      const own: PackedDescriptor[] = [];
      for (const layer of layers) own.push(await formOf(context, layer, options.compression, forms));
      const platform = platformOf(document);
      const built = imageManifest({
        config: {
          mediaType: "application/vnd.oci.image.config.v1+json",
          digest: sha256(config),
          size: config.length,
        },
        layers: own,
        platform,
        annotations: options.annotations,
      });
      members.push({ ...built, blobs: [config] });
      if (provenance) members.push(provenanceManifest(built, platform, names.map(familiar), provenance));
    }
  } catch (error) {
    for (const form of forms.values()) await form.done();
    throw error;
  }
  const top = topManifest(members, options.annotations);
  const entries =
    names.length === 0 ? [top.entry] : names.map((name) => withNames(top.entry, canonical(name)));
  const files: [string, Buffer][] = [
    [
      "index.json",
      json({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: entries }),
    ],
    ...(options.docker
      ? [["manifest.json", dockerManifest(images, forms, names.map(familiar))] as [string, Buffer]]
      : []),
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
  ];
  const documents = new Map<string, Buffer>();
  for (const { manifest, blobs } of [...members, top]) {
    for (const data of [...blobs, manifest.body]) documents.set(sha256(data), data);
  }
  const archive = Readable.from(write(documents, forms, files), {
    objectMode: false,
    highWaterMark: 1 << 20,
  });
  return { digest: top.manifest.digest, archive };
}

function withNames(entry: object, name: string): object {
  const before = "annotations" in entry ? entry.annotations : {};
  return {
    ...entry,
    annotations: {
      ...(typeof before === "object" ? before : {}),
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": splitStored(name).tag,
    },
  };
}

function dockerManifest(
  images: readonly LayoutImage[],
  forms: Map<string, Form>,
  names: readonly string[],
): Buffer {
  return json(
    images.map(({ config, layers }) => ({
      Config: blobName(sha256(config)),
      RepoTags: names,
      Layers: layers.map(({ diffId }) => blobName(forms.get(diffId)?.descriptor.digest ?? "")),
    })),
  );
}

/** A layer's bytes as they came where those are kept, else packed now. */
async function formOf(
  context: ImageContext,
  layer: Layer,
  packing: Packing,
  forms: Map<string, Form>,
): Promise<PackedDescriptor> {
  const before = forms.get(layer.diffId);
  if (before) return before.descriptor;
  const form = await findForm(context, layer, packing);
  forms.set(layer.diffId, form);
  return form.descriptor;
}

async function findForm(context: ImageContext, layer: Layer, packing: Packing): Promise<Form> {
  const nothing = async (): Promise<void> => undefined;
  if (packing === "plain") {
    const size = await context.layers.archiveSize(layer);
    const descriptor = { mediaType: packedTypes.plain, digest: layer.diffId, size };
    return { descriptor, read: () => context.layers.archive(layer), done: nothing };
  }
  const fromContent = (digest: string) => (): Readable =>
    createReadStream(context.content.path(digest), { highWaterMark: 1 << 18 });
  const known = knownForms(context, layer).find(
    ({ kept, mediaType }) => kept && mediaType === packedTypes[packing],
  );
  if (known) {
    const { kept: _, ...descriptor } = known;
    const done = sharePacked(context, known.digest) ? () => forgetPacked(context, known.digest) : nothing;
    return { descriptor, read: fromContent(known.digest), done };
  }
  const descriptor = await packLayer(context, layer, packing);
  return {
    descriptor,
    read: fromContent(descriptor.digest),
    done: () => forgetPacked(context, descriptor.digest),
  };
}

async function* write(
  documents: Map<string, Buffer>,
  forms: Map<string, Form>,
  files: readonly [string, Buffer][],
): AsyncGenerator<Buffer> {
  try {
    for (const name of ["blobs/", "blobs/sha256/"]) yield tarHeader({ name, type: "directory" });
    for (const [digest, data] of [...documents].sort(([a], [b]) => (a < b ? -1 : 1)))
      yield* member(blobName(digest), data);
    for (const { descriptor, read } of forms.values()) {
      yield tarHeader({ name: blobName(descriptor.digest), size: descriptor.size });
      yield* read();
      yield Buffer.alloc(padding(descriptor.size));
    }
    for (const [name, data] of files) yield* member(name, data);
    yield tarEnd;
  } finally {
    for (const form of forms.values()) await form.done();
  }
}

function* member(name: string, data: Buffer): Generator<Buffer> {
  yield tarHeader({ name, size: data.length });
  yield data;
  yield Buffer.alloc(padding(data.length));
}
