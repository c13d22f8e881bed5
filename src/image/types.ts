import type { Readable } from "node:stream";
import type {
  HistoryResponseItem,
  ImageConfig,
  ImageDeleteResponseItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSummary,
} from "@docker/node-sdk";

import type { ImageExtras } from "./extras.ts";

export type { ImageExtras } from "./extras.ts";

/** Docker's filters: a name and the values asked for, e.g. { dangling: ["true"] }. */
export type ImageFilters = Record<string, string[]>;

/** What an image runs on, in the terms of the OCI image specification. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

/** The OCI image configuration: https://github.com/opencontainers/image-spec/blob/main/config.md */
export interface ImageDocument {
  created?: string;
  author?: string;
  architecture: string;
  variant?: string;
  os: string;
  "os.version"?: string;
  "os.features"?: string[];
  config?: ImageConfig;
  rootfs: { type: "layers"; diff_ids: string[] };
  history?: HistoryEntry[];
  /** Docker's additions. */
  comment?: string;
  docker_version?: string;
}

export interface HistoryEntry {
  created?: string;
  author?: string;
  created_by?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image, found and ready to run. */
export interface ResolvedImage {
  /** sha256:<64 hex digits>, the digest of the configuration. */
  id: string;
  document: ImageDocument;
  platform: Platform;
  /** Absolute directories of the layers, topmost first; at least one. */
  layers: string[];
}

/** A line of progress, as Docker's API streams it. */
export interface Progress {
  stream?: string;
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  progress?: string;
  aux?: unknown;
}

export type OnProgress = (progress: Progress) => void;

/** Something that happened to an image; `docker events` shows it. */
export interface ImageEvent {
  action: "delete" | "import" | "load" | "prune" | "pull" | "push" | "save" | "tag" | "untag";
  id: string;
  attributes: Record<string, string>;
}

/** A container and the image it was made from, as the engine knows it. */
export interface ImageUser {
  containerId: string;
  imageId: string;
  running: boolean;
}

export interface ImportOptions {
  repo?: string;
  tag?: string;
  /** Dockerfile instructions that change the configuration: CMD, ENV, … */
  changes?: string[];
  message?: string;
  platform?: string;
}

/** What a client proves itself with to a registry: `docker login`'s entry for it. */
export interface Credentials {
  username?: string;
  password?: string;
  /** A refresh token of an OAuth login. */
  identityToken?: string;
  /** A bearer token that is to be sent as it is. */
  registryToken?: string;
}

export interface PullOptions {
  credentials?: Credentials;
  /** `os/arch/variant`; this machine's by default. */
  platform?: string;
  /** Every tag of the repository. */
  allTags?: boolean;
  /** The image gets no name: it is of a platform that the name does not stand for here. */
  unnamed?: boolean;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

export interface PushOptions {
  credentials?: Credentials;
  /** Every tag of the repository that is here. */
  allTags?: boolean;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** An image that a registry found, as Docker's API tells it. */
export interface SearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

export interface SearchOptions {
  credentials?: Credentials;
  /** From 1 to 100; 25 by default. */
  limit?: number;
  /** `stars`, `is-official`, `is-automated`. */
  filters?: ImageFilters;
  signal?: AbortSignal;
}

/** What a registry has under a name. */
export interface DistributionInspect {
  Descriptor: { mediaType: string; digest: string; size: number };
  Platforms: Platform[];
}

/** A manifest or an index as a registry sent it. */
export interface RemoteManifest {
  digest: string;
  mediaType: string;
  body: Buffer;
}

export interface LookOptions {
  credentials?: Credentials;
  signal?: AbortSignal;
}

/** An image that is made of a container. */
export interface CommitRequest {
  containerId: string;
  /** The image that the container was made of. */
  imageId: string;
  /** What the container's own layer changes. */
  changed: AsyncIterable<Buffer>;
  config: ImageConfig;
  repo?: string;
  tag?: string;
  comment?: string;
  author?: string;
  changes?: string[];
  /** The command that brought the changes about, for the history. */
  createdBy: string;
}

/** What `check` found. */
export interface CheckReport {
  images: number;
  layers: number;
  blobs: number;
  problems: CheckProblem[];
}

export interface CheckProblem {
  kind: "image" | "layer" | "blob";
  /** The image's id, the layer's diff id, the blob's digest. */
  id: string;
  message: string;
  repaired: boolean;
}

export interface ImageListOptions {
  /** Images without a name, too, that others were committed from. */
  all?: boolean;
  filters?: ImageFilters;
  sharedSize?: boolean;
}

/**
 * Images: everything under /images of the Docker Engine API. `ref` is a name with or without a tag, a
 * name with a digest, an id or a unique prefix of an id. An unknown one throws NOT_FOUND with dockerd's
 * words ("No such image: x:latest").
 */
export interface Images {
  /** The image a container is to be made of. `hello` is built in and needs no loading. */
  resolve(ref: string): Promise<ResolvedImage>;
  /**
   * Records that a container is made of an image: its layers stay until `release`, even when the image
   * itself is removed by force. Safe to call again. `layerIds`, lowest first, for a container whose layers
   * are no image yet.
   */
  use(imageId: string, containerId: string, layerIds?: readonly number[]): void;
  release(containerId: string): void;
  /** The layers of a container that `use` recorded, topmost first; empty when there is no record. */
  layersOf(containerId: string): string[];

  /**
   * Reads an archive of `docker save` or an OCI image layout, plain or compressed by gzip or zstd.
   * Resolves with what was loaded: a reference each, or an id for images without a name.
   */
  load(
    tar: Readable,
    options?: { quiet?: boolean; platform?: string; onProgress?: OnProgress },
  ): Promise<string[]>;
  /**
   * Fetches an image from its registry, or what is missing of it; resolves with the id (of the last one
   * with `allTags`). Rejects with NOT_FOUND, UNAUTHORIZED or what else the registry said.
   */
  pull(ref: string, options?: PullOptions): Promise<string>;
  /** Sends an image to its registry, or what is missing of it there. */
  push(ref: string, options?: PushOptions): Promise<void>;
  /** Asks a registry whether it knows these credentials. Rejects with UNAUTHORIZED when it does not. */
  login(address: string, credentials: Credentials): Promise<void>;
  /** Asks a registry's index for images: Docker Hub's, or that of the registry that the term begins with. */
  search(term: string, options?: SearchOptions): Promise<SearchResult[]>;
  /** What a registry has under a name, without fetching it. */
  distribution(ref: string, options?: LookOptions): Promise<DistributionInspect>;
  /** The manifest or index that a registry has under a name. */
  remoteManifest(ref: string, options?: LookOptions): Promise<RemoteManifest>;
  /** Makes an image of a container that `use` recorded; resolves with its id. */
  commit(request: CommitRequest): Promise<string>;
  /** Makes an image of a root filesystem's tar; resolves with its id. */
  import(tar: AsyncIterable<Buffer>, options?: ImportOptions): Promise<string>;
  /**
   * The images as one archive that `load` of Berth and of Docker reads: an OCI image layout with the files
   * of `docker save` beside. A repository without a tag stands for all of its tags.
   */
  save(refs: readonly string[]): Promise<Readable>;
  list(options?: ImageListOptions): Promise<ImageSummary[]>;
  inspect(ref: string): Promise<ImageInspect>;
  /** What the build of an image said of it beyond its configuration. */
  extras(ref: string): Promise<ImageExtras>;
  history(ref: string): Promise<HistoryResponseItem[]>;
  /** Throws INVALID_PARAMETER for a malformed repository or tag. */
  tag(ref: string, repo: string, tag?: string): Promise<void>;
  /** Throws CONFLICT with dockerd's words when the image is in use or has several names. */
  remove(ref: string, options?: { force?: boolean; noprune?: boolean }): Promise<ImageDeleteResponseItem[]>;
  prune(filters?: ImageFilters): Promise<ImagePruneResponse>;
  /**
   * Reads everything that is kept and compares it with its digests. With `repair` a layer is unpacked anew
   * from its archive where that is kept and sound, and what is useless is removed.
   */
  check(options?: { repair?: boolean }): Promise<CheckReport>;
  /** `layersSize`: bytes of all layers, each counted once. */
  diskUsage(): Promise<{ layersSize: number; images: ImageSummary[] }>;
}
