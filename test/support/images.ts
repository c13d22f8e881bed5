// Images for tests, made from code: the same call always gives the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { padding } from "../../src/lib/tar/entry.ts";
import { type TarEntryInit, tarEnd, tarHeader } from "../../src/lib/tar/write.ts";

export type Packing = "plain" | "gzip" | "zstd";

export interface TestImage {
  /** name:tag, as `docker load` shows it. */
  tags?: string[];
  /** Uncompressed layer archives, lowest first. */
  layers: Buffer[];
  /** The `config` member of the OCI image configuration: Cmd, Env, … */
  config?: Record<string, unknown>;
  architecture?: string;
  variant?: string;
}

const created = "2024-01-02T03:04:05.678901234Z";
/** 2024-01-02T03:04:05Z in nanoseconds. */
const mtime = 1_704_164_645_000_000_000n;

export const sha256 = (data: Buffer | string): string =>
  `sha256:${createHash("sha256").update(data).digest("hex")}`;

/** A tar archive of these members; `data` gives a file's content. Times default to a fixed one. */
export function tarOf(members: (TarEntryInit & { data?: Buffer | string })[]): Buffer {
  const parts: Buffer[] = [];
  for (const { data, ...init } of members) {
    const bytes = Buffer.from(data ?? "");
    parts.push(tarHeader({ mtime, ...init, size: bytes.length }), bytes, Buffer.alloc(padding(bytes.length)));
  }
  return Buffer.concat([...parts, tarEnd]);
}

let busybox: Buffer | undefined;

/** A root filesystem of Debian's static busybox with all its applets, users root and nobody. */
export function busyboxLayer(): Buffer {
  if (busybox) return busybox;
  const directories = [
    "bin",
    "dev",
    "etc",
    "home",
    "proc",
    "root",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "var",
    "var/tmp",
  ];
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  busybox = tarOf([
    ...directories.map(
      (name): TarEntryInit => ({
        name: `${name}/`,
        type: "directory",
        mode: name.endsWith("tmp") ? 0o1777 : name === "root" ? 0o700 : 0o755,
      }),
    ),
    { name: "bin/busybox", mode: 0o755, data: readFileSync("/bin/busybox") },
    ...applets
      .filter((name) => name !== "busybox")
      .map(
        (name): TarEntryInit => ({ name: `bin/${name}`, type: "symlink", mode: 0o777, linkname: "busybox" }),
      ),
    {
      name: "etc/passwd",
      data: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    },
    { name: "etc/group", data: "root:x:0:\nusers:x:100:\nnobody:x:65534:\n" },
  ]);
  return busybox;
}

/** The image `busybox:latest`, or one of other names or configuration on the same layer. */
export function busyboxImage(changes: Partial<TestImage> = {}): TestImage {
  return { tags: ["busybox:latest"], layers: [busyboxLayer()], ...changes };
}

/** The bytes of an image's configuration; their digest is the image's id. */
export function imageConfig(image: TestImage): Buffer {
  return Buffer.from(
    JSON.stringify({
      created,
      architecture: image.architecture ?? hostArchitecture(),
      ...(image.variant === undefined ? {} : { variant: image.variant }),
      os: "linux",
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Cmd: ["sh"],
        ...image.config,
      },
      rootfs: { type: "layers", diff_ids: image.layers.map(sha256) },
      history: image.layers.map((_, index) => ({ created, created_by: `layer ${index}` })),
    }),
  );
}

export const imageId = (image: TestImage): string => sha256(imageConfig(image));

/** The name the image specification has for this machine's architecture. */
export function hostArchitecture(): string {
  const names: Record<string, string> = { x64: "amd64", arm64: "arm64" };
  return names[process.arch] ?? process.arch;
}

/** What `docker save` of the graph-driver kind writes: manifest.json, a configuration and layers. */
export function dockerArchive(images: TestImage[]): Buffer {
  const files = new Map<string, Buffer>();
  const manifest = images.map((image) => {
    const config = `${imageId(image).slice(7)}.json`;
    files.set(config, imageConfig(image));
    const layers = image.layers.map((layer) => {
      const name = `${sha256(layer).slice(7)}/layer.tar`;
      files.set(name, layer);
      return name;
    });
    return { Config: config, RepoTags: image.tags ?? null, Layers: layers };
  });
  files.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  return tarOf([...files].map(([name, data]) => ({ name, data })));
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

export interface ManifestParts {
  /** Every blob by digest: configuration, layers, manifest. */
  blobs: Map<string, Buffer>;
  manifest: Descriptor;
}

/** The blobs and manifest of one image, OCI or Docker schema 2. The same image gives the same digests. */
export function manifestOf(
  image: TestImage,
  packing: Packing = "gzip",
  kind: "oci" | "docker" = "oci",
): ManifestParts {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, data: Buffer): Descriptor => {
    const digest = sha256(data);
    blobs.set(digest, data);
    return { mediaType, digest, size: data.length };
  };
  const oci = kind === "oci";
  const config = add(
    oci ? "application/vnd.oci.image.config.v1+json" : "application/vnd.docker.container.image.v1+json",
    imageConfig(image),
  );
  const layerType = oci
    ? "application/vnd.oci.image.layer.v1.tar"
    : "application/vnd.docker.image.rootfs.diff.tar";
  const suffix = { plain: "", gzip: oci ? "+gzip" : ".gzip", zstd: oci ? "+zstd" : ".zstd" }[packing];
  const layers = image.layers.map((layer) => add(layerType + suffix, pack(layer, packing)));
  const mediaType = oci
    ? "application/vnd.oci.image.manifest.v1+json"
    : "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = add(
    mediaType,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers })),
  );
  return { blobs, manifest };
}

function pack(data: Buffer, packing: Packing): Buffer {
  if (packing === "gzip") return gzipSync(data, { level: 1 });
  return packing === "zstd" ? zstdCompressSync(data) : data;
}

/**
 * An OCI image layout in a tar. Images of the same first tag but different architecture become one
 * index under that tag.
 */
export function ociLayout(images: TestImage[], packing: Packing = "gzip"): Buffer {
  const blobs = new Map<string, Buffer>();
  const byTag = new Map<string, Descriptor[]>();
  for (const image of images) {
    const parts = manifestOf(image, packing);
    for (const [digest, data] of parts.blobs) blobs.set(digest, data);
    const platform = {
      os: "linux",
      architecture: image.architecture ?? hostArchitecture(),
      ...(image.variant === undefined ? {} : { variant: image.variant }),
    };
    const tag = image.tags?.[0] ?? "";
    byTag.set(tag, [...(byTag.get(tag) ?? []), { ...parts.manifest, platform }]);
  }
  const manifests = [...byTag].map(([tag, descriptors]) => {
    const named = nameAnnotations(tag);
    const [only] = descriptors;
    if (only && descriptors.length === 1) return { ...only, ...named };
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: descriptors }));
    blobs.set(sha256(index), index);
    return { mediaType, digest: sha256(index), size: index.length, ...named };
  });
  return tarOf([
    { name: "oci-layout", data: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", data: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...[...blobs].map(([digest, data]) => ({ name: `blobs/${digest.replace(":", "/")}`, data })),
  ]);
}

function nameAnnotations(tag: string): { annotations?: Record<string, string> } {
  if (tag === "") return {};
  return {
    annotations: {
      "io.containerd.image.name": `docker.io/library/${tag}`,
      "org.opencontainers.image.ref.name": tag.split(":")[1] ?? "latest",
    },
  };
}
