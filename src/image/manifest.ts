import { invalid } from "../lib/errors.ts";
import { isRecord, parseObject } from "./document.ts";
import { isConfig, isIndex, isLayer, isManifest } from "./media.ts";
import { isDigest } from "./reference.ts";
import type { Platform } from "./types.ts";

/** The largest manifest or index that is read, in bytes; the distribution specification's own bound. */
export const maxManifest = 4 * 2 ** 20;

/** Points to a blob: https://github.com/opencontainers/image-spec/blob/main/descriptor.md */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: Partial<Platform>;
  annotations: Record<string, string>;
  urls: string[];
}

export interface Manifest {
  kind: "manifest";
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
}

export interface Index {
  kind: "index";
  mediaType: string;
  manifests: Descriptor[];
}

/**
 * Parses an image manifest or an index of them. `mediaType` is what the sender says it is; without it the
 * document's own word is taken. Throws INVALID_PARAMETER for what is malformed, and for artifacts that
 * are no images.
 */
export function parseManifest(bytes: Buffer, mediaType?: string): Manifest | Index {
  if (bytes.length > maxManifest) throw invalid(`manifest is larger than ${maxManifest} bytes`);
  const value = parseObject(bytes, "manifest");
  if (value.schemaVersion === 1) {
    throw invalid(
      "manifests of schema version 1 are no longer supported; push the image again with a newer client",
    );
  }
  const own = typeof value.mediaType === "string" ? value.mediaType : "";
  const type = own || mediaType || (Array.isArray(value.manifests) ? "index" : "manifest");
  if (isIndex(type) || type === "index") {
    // A document that could be read both ways means different things to different readers.
    if ("config" in value || "layers" in value)
      throw invalid("a manifest may not be both an index and an image");
    return { kind: "index", mediaType: type, manifests: descriptors(value.manifests, "manifests") };
  }
  if (!isManifest(type) && type !== "manifest") throw invalid(`unsupported manifest media type: ${type}`);
  if ("manifests" in value) throw invalid("a manifest may not be both an index and an image");
  const config = descriptor(value.config, "config");
  if (!isConfig(config.mediaType)) {
    throw invalid(
      `unsupported media type ${config.mediaType}: this is an artifact, not an image that can run`,
    );
  }
  const layers = descriptors(value.layers, "layers");
  for (const layer of layers) {
    if (!isLayer(layer.mediaType)) throw invalid(`unsupported layer media type: ${layer.mediaType}`);
  }
  return { kind: "manifest", mediaType: type, config, layers };
}

function descriptors(value: unknown, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`invalid manifest: no ${what}`);
  return value.map((item) => descriptor(item, what));
}

function descriptor(value: unknown, what: string): Descriptor {
  if (!isRecord(value)) throw invalid(`invalid manifest: no ${what}`);
  const { mediaType, digest, size, platform, annotations, urls } = value;
  if (typeof digest !== "string" || !isDigest(digest)) {
    throw invalid(`invalid manifest: ${what} has no sha256 digest`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`invalid manifest: ${what} has no size`);
  }
  return {
    mediaType: typeof mediaType === "string" ? mediaType : "",
    digest,
    size,
    ...(isRecord(platform) ? { platform: readPlatform(platform) } : {}),
    annotations: texts(annotations),
    urls: Array.isArray(urls) ? urls.filter((url) => typeof url === "string") : [],
  };
}

function readPlatform(value: Record<string, unknown>): Partial<Platform> {
  const { os, architecture, variant } = texts(value);
  return { os, architecture, variant };
}

function texts(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  const result: Record<string, string> = Object.create(null);
  for (const [key, item] of Object.entries(value)) if (typeof item === "string") result[key] = item;
  return result;
}
