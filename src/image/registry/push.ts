import { Readable } from "node:stream";
import { notFound, system } from "../../lib/errors.ts";
import { progressBar } from "../../lib/progress.ts";
import type { ImageContext } from "../context.ts";
import { platformOf, sha256, shortId } from "../document.ts";
import type { ImageExtras } from "../extras.ts";
import { findImage } from "../find.ts";
import type { Layer } from "../layers.ts";
import type { Annotation } from "../layout/annotations.ts";
import { type BuiltManifest, imageManifest, provenanceManifest, topManifest } from "../layout/manifests.ts";
import { parseManifest } from "../manifest.ts";
import type { StoredManifest } from "../records.ts";
import { canonical, familiar, familiarRepository, type Reference, repositoryOf } from "../reference.ts";
import type { OnProgress, Platform } from "../types.ts";
import { forgetPacked, knownForms, type PackedDescriptor, packLayer, storedBlob } from "./pack.ts";
import type { Repository } from "./repository.ts";
import { type Blob, hasBlob, mount, upload } from "./upload.ts";

const parallel = 3;

export interface PushTarget {
  context: ImageContext;
  repository: Repository;
  tell: OnProgress;
}

/** Pushes one tag of an image. Resolves with the manifest's digest. */
export async function pushReference(
  target: PushTarget,
  reference: Reference & { tag: string },
): Promise<string> {
  const { context, tell, repository } = target;
  const id = context.records.byTag(canonical(reference));
  if (id === undefined) {
    const others = context.records.tagsOf(repositoryOf(reference));
    throw others.length > 0
      ? notFound(`tag does not exist: ${familiar(reference)}`)
      : noLocalImage(reference);
  }
  const members = context.extras.members(canonical(reference));
  const images = (members.length > 0 ? members : [id]).map((image) => ({
    id: image,
    layers: context.layers.of("image", image),
  }));
  const layers = images.flatMap((image) => image.layers);
  for (const layer of layers) context.layers.hold(layer);
  for (const layer of layers.toReversed())
    tell({ status: "Preparing", progressDetail: {}, id: shortId(layer.diffId) });
  try {
    const { annotations, attached } = context.extras.get(id);
    const isPlain = members.length === 0 && annotations.length === 0 && !attached;
    const manifest =
      (isPlain ? await pushStored(target, reference, id, layers) : null) ??
      (await pushBuilt(
        target,
        reference,
        images.map((image) => storedImage(context, image.id, image.layers)),
      ));
    const digest = await repository.putManifest(reference.tag, manifest);
    context.state.transaction(() => {
      context.records.setManifest(manifest, id);
      context.records.setDigest(repositoryOf(reference), digest, id);
    });
    const size = manifest.body.length;
    tell({ status: `${reference.tag}: digest: ${digest} size: ${size}` });
    tell({ progressDetail: {}, aux: { Tag: reference.tag, Digest: digest, Size: size } });
    context.emit({
      action: "push",
      id: familiar(reference),
      attributes: { name: familiarRepository(repositoryOf(reference)) },
    });
    return digest;
  } finally {
    for (const layer of layers) context.layers.release(layer);
  }
}

export const noLocalImage = (reference: Reference): Error =>
  notFound(`An image does not exist locally with the tag: ${familiarRepository(repositoryOf(reference))}`);

/** Pushes by the manifest that the image came with, bit for bit; null when its blobs are not all at hand. */
async function pushStored(
  target: PushTarget,
  reference: Reference,
  id: string,
  layers: Layer[],
): Promise<StoredManifest | null> {
  const { context } = target;
  for (const manifest of context.records.manifestsOf(id)) {
    const parsed = parseManifest(manifest.body, manifest.mediaType);
    if (parsed.kind !== "manifest" || parsed.layers.length !== layers.length) continue;
    if (!(await allAtHand(target, reference, parsed.layers, layers))) continue;
    await inParallel(layers, (layer, index) => pushForm(target, reference, layer, parsed.layers[index]));
    await pushConfig(target, storedImage(context, id, layers).config);
    return manifest;
  }
  return null;
}

/** Whether every blob is in the content store or in the repository, or could be mounted there. */
async function allAtHand(
  target: PushTarget,
  reference: Reference,
  forms: PackedDescriptor[],
  layers: Layer[],
): Promise<boolean> {
  const { context, repository } = target;
  for (const [index, form] of forms.entries()) {
    const layer = layers[index];
    if (!layer) return false;
    if (knownForms(context, layer).some(({ digest, kept }) => kept && digest === form.digest)) continue;
    if (await hasBlob(repository, form.digest)) continue;
    if (!(await mount(repository, form.digest, otherRepositories(context, reference, layer)))) return false;
  }
  return true;
}

/** An image that is pushed by a manifest of our own. */
export interface PushedImage {
  /** The exact bytes of its configuration. */
  config: Buffer;
  platform: Platform;
  /** Lowest first; held. */
  layers: readonly Layer[];
  extras: ImageExtras;
}

function storedImage(context: ImageContext, id: string, layers: Layer[]): PushedImage {
  const config = context.records.config(id);
  if (!config) throw system(`the configuration of ${id} is gone`);
  const platform = platformOf(findImage(context.records, id).document);
  return { config, platform, layers, extras: context.extras.get(id) };
}

/**
 * Sends what a manifest of our own needs; layers whose packed form is not here are packed for it. Several images
 * and what goes with them become an index.
 */
export async function pushBuilt(
  target: PushTarget,
  reference: Reference,
  images: readonly PushedImage[],
): Promise<StoredManifest> {
  const { repository } = target;
  const built: BuiltManifest[] = [];
  const annotations: Annotation[] = [];
  for (const { config, platform, layers, extras } of images) {
    const forms = await inParallel(layers, (layer) => pushLayer(target, reference, layer));
    const own = imageManifest({
      config: await pushConfig(target, config),
      layers: forms,
      platform,
      annotations: extras.annotations,
    });
    built.push(own);
    annotations.push(...extras.annotations);
    if (!extras.attached || !extras.provenance) continue;
    built.push(provenanceManifest(own, platform, [familiar(reference)], extras.provenance));
  }
  const top = topManifest(built, annotations);
  if (built[0]?.manifest.digest === top.manifest.digest) return top.manifest;
  for (const { manifest, blobs } of built) {
    for (const data of blobs)
      await upload(repository, blobOf(data), { mountFrom: [], onBytes: () => undefined });
    await repository.putManifest(manifest.digest, manifest);
  }
  return top.manifest;
}

const blobOf = (data: Buffer): Blob => ({
  digest: sha256(data),
  size: data.length,
  read: (offset, size) => Readable.from([data.subarray(offset, offset + size)], { objectMode: false }),
});

async function pushLayer(target: PushTarget, reference: Reference, layer: Layer): Promise<PackedDescriptor> {
  const { context, repository, tell } = target;
  const known = knownForms(context, layer);
  for (const { kept, ...form } of known) {
    if (kept) return pushForm(target, reference, layer, form);
    if (await hasBlob(repository, form.digest)) {
      tell({ status: "Layer already exists", progressDetail: {}, id: shortId(layer.diffId) });
      return form;
    }
  }
  const form = await packLayer(context, layer);
  try {
    return await pushForm(target, reference, layer, form);
  } finally {
    // It can be packed again; only what came packed is kept.
    await forgetPacked(context, form.digest);
  }
}

async function pushForm(
  target: PushTarget,
  reference: Reference,
  layer: Layer,
  form: PackedDescriptor | undefined,
): Promise<PackedDescriptor> {
  if (!form) throw system(`layer ${layer.diffId} has no packed form`);
  const { context, repository, tell } = target;
  const id = shortId(layer.diffId);
  let last = 0;
  const uploaded = await upload(repository, storedBlob(context, form), {
    mountFrom: otherRepositories(context, reference, layer),
    onBytes(current) {
      const now = performance.now();
      if (now - last < 100 && current < form.size) return;
      last = now;
      const progress = progressBar(current, form.size);
      tell({ status: "Pushing", progressDetail: { current, total: form.size }, progress, id });
    },
  });
  const status =
    uploaded.how === "mounted"
      ? `Mounted from ${uploaded.from}`
      : uploaded.how === "present"
        ? "Layer already exists"
        : "Pushed";
  tell({ status, progressDetail: {}, id });
  return { mediaType: form.mediaType, digest: form.digest, size: form.size };
}

async function pushConfig({ repository }: PushTarget, config: Buffer): Promise<PackedDescriptor> {
  const blob = blobOf(config);
  await upload(repository, blob, { mountFrom: [], onBytes: () => undefined });
  return {
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: blob.digest,
    size: config.length,
  };
}

/** Repositories of the same registry that are known to have an image with this layer. */
export function otherRepositories(context: ImageContext, reference: Reference, layer: Layer): string[] {
  const prefix = `${reference.domain}/`;
  return context.state.db
    .prepare(
      `SELECT DISTINCT d.repo FROM repo_digests d JOIN image_layers i ON i.image = d.image
       WHERE i.layer = ? AND d.repo <> ? AND substr(d.repo, 1, ?) = ? LIMIT 3`,
    )
    .all(layer.id, repositoryOf(reference), prefix.length, prefix)
    .map((row) => String(row.repo).slice(prefix.length));
}

/** As Promise.all over `work`, a few at a time; results in the order of the items. */
async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) results[index] = await work(item, index);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: parallel }, worker));
  // After all have ended: nothing goes on behind a failure.
  for (const outcome of workers) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}
