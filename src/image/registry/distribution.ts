import { isRecord, parseObject } from "../document.ts";
import { isIndex } from "../media.ts";
import { isDigest, type Reference } from "../reference.ts";
import type { DistributionInspect, Platform } from "../types.ts";
import type { Repository } from "./repository.ts";

/**
 * See `Images.distribution`: the digest of what a name stands for, and the platforms it is for, which an
 * index names itself and an image in its configuration. An artifact is for none.
 */
export async function inspectDistribution(
  repository: Repository,
  reference: Reference,
): Promise<DistributionInspect> {
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const { body, digest, mediaType } = await repository.manifest(wanted);
  const manifest = parseObject(body, "manifest");
  const Descriptor = { mediaType, digest, size: body.length };
  if (isIndex(mediaType)) {
    const parts = Array.isArray(manifest.manifests) ? manifest.manifests : [];
    return { Descriptor, Platforms: parts.flatMap((part) => platforms(isRecord(part) && part.platform)) };
  }
  return { Descriptor, Platforms: platforms(await configuration(repository, manifest.config)) };
}

async function configuration(repository: Repository, descriptor: unknown): Promise<unknown> {
  if (!isRecord(descriptor) || typeof descriptor.digest !== "string" || !isDigest(descriptor.digest))
    return undefined;
  return parseObject(await repository.document(descriptor.digest), "image configuration");
}

function platforms(value: unknown): Platform[] {
  if (!isRecord(value) || typeof value.architecture !== "string" || typeof value.os !== "string") return [];
  const { architecture, os, variant } = value;
  return [{ architecture, os, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) }];
}
