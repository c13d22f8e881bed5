import { invalid, notFound } from "../../lib/errors.ts";
import { progressBar } from "../../lib/progress.ts";
import type { ImageContext } from "../context.ts";
import { createdSeconds, parseDocument, platformOf, shortId } from "../document.ts";
import { chainIds, type Layer } from "../layers.ts";
import { type Descriptor, type Manifest, parseManifest } from "../manifest.ts";
import { choosePlatform, formatPlatform, hostPlatform, platformDistance } from "../platform.ts";
import { canonical, familiar, familiarRepository, type Reference, repositoryOf } from "../reference.ts";
import type { OnProgress, Platform } from "../types.ts";
import type { Downloads } from "./downloads.ts";
import { RegistryError } from "./failure.ts";
import type { FetchedManifest, Repository } from "./repository.ts";

export interface PullTarget {
  context: ImageContext;
  downloads: Downloads;
  repository: Repository;
  tell: OnProgress;
  /** What was asked for; undefined lets the machine choose. */
  platform: Platform | undefined;
  signal: AbortSignal | undefined;
  unnamed?: boolean;
}

/** Pulls one tag or digest. Resolves with the image's id and whether there was anything new. */
export async function pullReference(
  target: PullTarget,
  reference: Reference,
): Promise<{ id: string; isNew: boolean }> {
  const { context, tell, repository } = target;
  const name = repositoryOf(reference);
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const top = await fetchManifest(repository, wanted, reference);
  const asked = reference.digest === undefined ? wanted : canonical({ ...reference, tag: undefined });
  tell({ status: `Pulling from ${reference.path}`, id: asked });
  const before =
    reference.tag === undefined
      ? undefined
      : context.records.byTag(canonical({ ...reference, digest: undefined }));
  const known = knownImage(target, top);
  const chosen = known === undefined ? await chooseManifest(target, top) : null;
  const id = known ?? chosen?.manifest.config.digest ?? "";
  const isNew = known === undefined || (reference.digest === undefined && before !== id);
  const named = context.records.arrive(id);
  try {
    if (chosen) await pullImage(target, chosen);
    context.state.transaction(() => {
      if (reference.digest === undefined && before !== id && !target.unnamed)
        context.records.setTag(canonical(reference), id);
      context.records.setDigest(name, top.digest, id);
    });
  } finally {
    named();
  }
  tell({ status: `Digest: ${top.digest}` });
  context.emit({ action: "pull", id: familiar(reference), attributes: { name: familiarRepository(name) } });
  return { id, isNew };
}

export async function fetchManifest(
  repository: Repository,
  wanted: string,
  reference: Reference,
): Promise<FetchedManifest> {
  try {
    return await repository.manifest(wanted);
  } catch (error) {
    if (error instanceof RegistryError && error.httpStatus === 404 && error.registryCode !== "NAME_UNKNOWN")
      throw notFound(`manifest for ${familiar(reference)} not found: ${error.message}`);
    throw accessDenied(error, reference);
  }
}

/** What a client is told when a registry lets nobody in: that there may be nothing, for 401 asks for a password. */
export function accessDenied(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  if (!["DENIED", "UNAUTHORIZED", "NAME_UNKNOWN"].includes(error.registryCode)) return error;
  const name = familiarRepository(repositoryOf(reference));
  return notFound(
    `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`,
  );
}

/** The image that a manifest, or one of an index, is known to have brought before. */
function knownImage({ context, platform }: PullTarget, top: FetchedManifest): string | undefined {
  const direct = context.records.byManifest(top.digest);
  // Whether it is of the platform asked for is looked at when it is pulled.
  if (direct !== undefined) return platform === undefined ? direct : undefined;
  const parsed = parseManifest(top.body, top.mediaType);
  if (parsed.kind !== "index") return undefined;
  const chosen = choosePlatform(platform ?? hostPlatform, parsed.manifests);
  return chosen ? context.records.byManifest(chosen.digest) : undefined;
}

/** Follows indexes down to the manifest for the platform. */
export async function chooseManifest(
  target: PullTarget,
  top: FetchedManifest,
): Promise<{ fetched: FetchedManifest; manifest: Manifest }> {
  let fetched = top;
  const maxDepth = 4;
  for (let depth = 0; depth <= maxDepth; depth++) {
    const parsed = parseManifest(fetched.body, fetched.mediaType);
    if (parsed.kind === "manifest") return { fetched, manifest: parsed };
    const platform = target.platform ?? hostPlatform;
    const chosen = choosePlatform(platform, parsed.manifests);
    if (!chosen)
      throw notFound(`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`);
    fetched = await target.repository.manifest(chosen.digest);
    checkSize(chosen, fetched.body.length);
  }
  throw invalid(`indexes are nested more than ${maxDepth} deep`);
}

function checkSize(descriptor: Descriptor, actual: number): void {
  if (actual !== descriptor.size) {
    throw invalid(`wrong size of ${descriptor.digest}: expected ${descriptor.size}, got ${actual}`);
  }
}

export async function fetchConfig(repository: Repository, descriptor: Descriptor): Promise<Buffer> {
  const bytes = await repository.document(descriptor.digest);
  checkSize(descriptor, bytes.length);
  return bytes;
}

async function pullImage(
  target: PullTarget,
  { fetched, manifest }: { fetched: FetchedManifest; manifest: Manifest },
): Promise<void> {
  const { context, repository } = target;
  const config =
    context.records.config(manifest.config.digest) ?? (await fetchConfig(repository, manifest.config));
  const document = parseDocument(config);
  const diffIds = document.rootfs.diff_ids;
  if (document.os !== "linux")
    throw invalid(`image operating system "${document.os}" cannot be used on this platform`);
  if (target.platform && platformDistance(target.platform, platformOf(document)) === null) {
    throw notFound(
      `image was found but does not match the specified platform: wanted ${formatPlatform(target.platform)}, actual: ${formatPlatform(platformOf(document))}`,
    );
  }
  if (manifest.layers.length !== diffIds.length) {
    throw invalid(
      `layers from manifest don't match image configuration: ${manifest.layers.length} and ${diffIds.length}`,
    );
  }
  const layers = await pullLayers(target, manifest.layers, diffIds);
  try {
    const id = manifest.config.digest;
    context.state.transaction(() => {
      context.records.add({
        id,
        config,
        layers: layers.map((layer) => layer.id),
        size: layers.reduce((sum, layer) => sum + layer.size, 0),
        created: createdSeconds(document),
      });
      context.records.setManifest(fetched, id);
    });
  } finally {
    for (const layer of layers) context.layers.release(layer);
  }
}

type Joined = ReturnType<Downloads["join"]>;

/** All layers of an image, lowest first, held. */
export async function pullLayers(
  target: PullTarget,
  descriptors: Descriptor[],
  diffIds: string[],
): Promise<Layer[]> {
  const { context, tell } = target;
  const chains = chainIds(diffIds);
  const held: Layer[] = [];
  const present: Layer[] = [];
  const joined: Joined[] = [];
  const pending = descriptors.map((descriptor, index): Joined | null => {
    const id = shortId(descriptor.digest);
    const found = context.layers.find(diffIds[index] ?? "", chains[index] ?? "");
    if (found) {
      context.layers.hold(found);
      present.push(found);
      tell({ status: "Already exists", progressDetail: {}, id });
      return null;
    }
    tell({ status: "Pulling fs layer", progressDetail: {}, id });
    const download = target.downloads.join(
      target.repository,
      descriptor,
      reporter(tell, id, descriptor.size),
    );
    joined.push(download);
    return download;
  });
  try {
    for (const [index, download] of pending.entries()) {
      const diffId = diffIds[index] ?? "";
      const layer =
        (download && (await adopt(target, download, descriptors[index], diffId, held))) ??
        context.layers.findAbove(diffId, held);
      if (!layer) throw invalid(`layer ${diffId} went away while the image was pulled; try again`);
      held.push(layer);
    }
    return held;
  } catch (error) {
    for (const layer of held) context.layers.release(layer);
    throw error;
  } finally {
    await Promise.all(joined.map((download) => download.leave()));
    for (const layer of present) context.layers.release(layer);
    await context.layers.collect();
  }
}

async function adopt(
  { context, tell, signal }: PullTarget,
  download: Joined,
  descriptor: Descriptor | undefined,
  diffId: string,
  below: readonly Layer[],
): Promise<Layer | null> {
  const id = shortId(descriptor?.digest ?? "");
  const unpacked = await orAborted(download.arrived, signal);
  if (unpacked.diffId !== diffId) {
    throw invalid(`filesystem layer verification failed: expected ${diffId}, got ${unpacked.diffId}`);
  }
  tell({ status: "Download complete", progressDetail: {}, id });
  const layer = context.layers.findAbove(diffId, below) ?? (await download.adopt(below));
  if (layer) tell({ status: "Pull complete", progressDetail: {}, id });
  return layer;
}

/** What several pulls wait for goes on when one of them is given up. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** At most ten lines a second for a layer. */
function reporter(tell: OnProgress, id: string, total: number): (current: number) => void {
  let last = 0;
  return (current) => {
    const now = performance.now();
    if (now - last < 100) return;
    last = now;
    tell({
      status: "Downloading",
      progressDetail: { current, total },
      progress: progressBar(current, total),
      id,
    });
  };
}
