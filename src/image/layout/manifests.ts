import { sha256 } from "../document.ts";
import type { Descriptor } from "../manifest.ts";
import { formatPlatform } from "../platform.ts";
import type { StoredManifest } from "../records.ts";
import type { Platform } from "../types.ts";
import { type Annotation, annotationsOf } from "./annotations.ts";

/** Names a blob, as manifests do. */
export type BlobName = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** What a manifest says of one image. */
export interface ManifestParts {
  config: BlobName;
  /** Lowest first. */
  layers: readonly BlobName[];
  platform: Platform;
  annotations: readonly Annotation[];
}

/** A manifest, the entry of an index that names it, and the blobs that are its own. */
export interface BuiltManifest {
  manifest: StoredManifest;
  entry: object;
  blobs: Buffer[];
}

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  statement: "application/vnd.in-toto+json",
};

export const provenanceType = "https://slsa.dev/provenance/v1";

function stored(mediaType: string, value: object): StoredManifest {
  const body = Buffer.from(JSON.stringify(value));
  return { digest: sha256(body), mediaType, body };
}

const platformEntry = ({ architecture, os, variant }: Platform): object => ({
  architecture,
  os,
  ...(variant ? { variant } : {}),
});

const nameOf = ({ digest, mediaType, body }: StoredManifest): BlobName => ({
  mediaType,
  digest,
  size: body.length,
});

/** The OCI manifest of an image. */
export function imageManifest({ config, layers, platform, annotations }: ManifestParts): BuiltManifest {
  const own = annotationsOf(annotations, "manifest", platform);
  const manifest = stored(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config,
    layers,
    ...(own ? { annotations: own } : {}),
  });
  const said = annotationsOf(annotations, "manifest-descriptor", platform);
  const entry = {
    ...nameOf(manifest),
    platform: platformEntry(platform),
    ...(said ? { annotations: said } : {}),
  };
  return { manifest, entry, blobs: [] };
}

/** A manifest that tells where the image of another came from: an in-toto statement of its provenance. */
export function provenanceManifest(
  of: BuiltManifest,
  platform: Platform,
  names: readonly string[],
  predicate: object,
): BuiltManifest {
  const sha = of.manifest.digest.slice("sha256:".length);
  const suffix = `?platform=${encodeURIComponent(formatPlatform(platform))}`;
  const subjects =
    names.length > 0
      ? names.map((name) => `pkg:docker/${name.replace(/:([^:/]+)$/, "@$1")}${suffix}`)
      : ["_"];
  const statement = Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      predicateType: provenanceType,
      subject: subjects.map((name) => ({ name, digest: { sha256: sha } })),
      predicate,
    }),
  );
  const config = Buffer.from(
    JSON.stringify({
      architecture: "unknown",
      os: "unknown",
      config: {},
      rootfs: { type: "layers", diff_ids: [sha256(statement)] },
    }),
  );
  const manifest = stored(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: sha256(config), size: config.length },
    layers: [
      {
        mediaType: types.statement,
        digest: sha256(statement),
        size: statement.length,
        annotations: { "in-toto.io/predicate-type": provenanceType },
      },
    ],
  });
  const entry = {
    ...nameOf(manifest),
    annotations: {
      "vnd.docker.reference.digest": of.manifest.digest,
      "vnd.docker.reference.type": "attestation-manifest",
    },
    platform: { architecture: "unknown", os: "unknown" },
  };
  return { manifest, entry, blobs: [config, statement] };
}

/** An index of manifests: of an image for several platforms, or with what belongs to it. */
export function imageIndex(
  members: readonly BuiltManifest[],
  annotations: readonly Annotation[],
): BuiltManifest {
  const own = annotationsOf(annotations, "index");
  const manifest = stored(types.index, {
    schemaVersion: 2,
    mediaType: types.index,
    manifests: members.map(({ entry }) => entry),
    ...(own ? { annotations: own } : {}),
  });
  const said = annotationsOf(annotations, "index-descriptor");
  return { manifest, entry: { ...nameOf(manifest), ...(said ? { annotations: said } : {}) }, blobs: [] };
}

/** What is to be put under one name: the manifest alone, or an index where one is needed. */
export function topManifest(
  members: readonly BuiltManifest[],
  annotations: readonly Annotation[],
): BuiltManifest {
  const [only, ...more] = members;
  const wantsIndex = annotations.some(({ scope }) => scope === "index" || scope === "index-descriptor");
  return only && more.length === 0 && !wantsIndex ? only : imageIndex(members, annotations);
}
