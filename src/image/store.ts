import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type {
  HistoryResponseItem,
  ImageDeleteResponseItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSummary,
} from "@docker/node-sdk";
import { BerthError } from "../lib/errors.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import type { State } from "../state/index.ts";
import { ImageBuilding } from "./building.ts";
import { checkStore } from "./check.ts";
import { commitImage } from "./commit.ts";
import { ContentStore } from "./content.ts";
import type { ImageContext } from "./context.ts";
import { type ImageDiskUsage, imageDiskUsage } from "./disk-usage.ts";
import { platformOf } from "./document.ts";
import { Durability } from "./durability.ts";
import { ExtrasStore, type ImageExtras } from "./extras.ts";
import { findImage } from "./find.ts";
import { importImage } from "./import.ts";
import { imageHistory, inspectImage, layerDirectories } from "./inspect.ts";
import { LayerStore } from "./layers.ts";
import { listImages } from "./list.ts";
import { type LoadOptions, load } from "./load.ts";
import { ImageRecords } from "./records.ts";
import type { RegistryConfig } from "./registry/hosts.ts";
import { Registries } from "./registry/index.ts";
import { pruneImages, removeImage, tagImage } from "./remove.ts";
import { saveImages } from "./save.ts";
import type {
  CheckReport,
  CommitRequest,
  Credentials,
  DistributionInspect,
  ImageEvent,
  ImageFilters,
  ImageListOptions,
  Images,
  ImageUser,
  ImportOptions,
  LookOptions,
  PullOptions,
  PushOptions,
  RemoteManifest,
  ResolvedImage,
  SearchOptions,
  SearchResult,
} from "./types.ts";
import type { UnpackLimits } from "./unpacker.ts";

export interface ImageStoreOptions {
  state: State;
  /** The containers and what they were made from; they keep their images from being removed. */
  users?: () => ImageUser[];
  onEvent?: (event: ImageEvent) => void;
  /** Images that are loaded from a file when first asked for, by name. */
  builtin?: Record<string, string>;
  log?: Logger;
  /** Bounds on each layer. */
  limits?: UnpackLimits;
  /** How registries are reached. */
  registries?: RegistryConfig;
}

/** The images of a data root. One per open state. */
export class ImageStore implements Images {
  readonly #context: ImageContext;
  /** What a builder needs beyond `Images`. */
  readonly building: ImageBuilding;
  readonly #builtin: Map<string, string>;
  readonly #log: Logger;
  readonly #durability: Durability;
  readonly #registries: Registries;
  readonly #background = new Set<Promise<void>>();

  constructor(options: ImageStoreOptions) {
    const { state } = options;
    this.#log = options.log ?? silentLogger;
    const content = new ContentStore(state.paths);
    this.#context = {
      state,
      content,
      layers: new LayerStore(state, content, options.limits),
      records: new ImageRecords(state),
      extras: new ExtrasStore(state),
      users: options.users ?? (() => []),
      emit: (event) => options.onEvent?.(this.#labelled(event)),
    };
    const { layers } = this.#context;
    // After whoever releases has released all.
    layers.onFree = () => this.#inBackground(Promise.resolve().then(() => layers.collect()));
    this.#durability = new Durability(state, this.#context.layers);
    this.#registries = new Registries(this.#context, options.registries);
    this.building = new ImageBuilding(
      this.#context,
      this.#registries,
      () => this.#inBackground(this.#durability.sync()),
      (work) => this.#inBackground(work),
    );
    this.#builtin = new Map(Object.entries(options.builtin ?? {}));
  }

  /** As dockerd tells of images: with their labels, while they are there. */
  #labelled(event: ImageEvent): ImageEvent {
    if (event.id === "") return event;
    try {
      const { document } = findImage(this.#context.records, event.id);
      return { ...event, attributes: { ...document.config?.Labels, ...event.attributes } };
    } catch (error) {
      if (error instanceof BerthError && error.code === "NOT_FOUND") return event;
      throw error;
    }
  }

  /** Begins to remove what a crash left behind. To be called once, before anything else is under way. */
  recover(): void {
    const { layers } = this.#context;
    const lost = this.#durability.afterBoot();
    for (const id of lost)
      this.#log.warn("an image was lost with the machine's power; load it again", { id });
    this.#inBackground(layers.sweep().then(() => layers.collect()));
  }

  #inBackground(work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => {
        // After the state was closed the next opening goes on with it.
        if (this.#context.state.db.isOpen) this.#log.error("work in the background failed", { error });
      })
      .then(() => void this.#background.delete(done));
    this.#background.add(done);
  }

  /** Resolves when nothing is done in the background any more. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Drops the connections to registries. The state stays open. */
  close(): void {
    this.#registries.close();
  }

  async resolve(ref: string): Promise<ResolvedImage> {
    const { id, document } = await this.#find(ref);
    const layers = layerDirectories(this.#context, id);
    if (layers.length === 0) layers.push(this.#context.layers.empty());
    return { id, document, platform: platformOf(document), layers };
  }

  async #find(ref: string) {
    const { records } = this.#context;
    try {
      return findImage(records, ref);
    } catch (error) {
      const archive = this.#builtin.get(ref.replace(/:latest$/, ""));
      if (archive === undefined || !(error instanceof BerthError && error.code === "NOT_FOUND")) throw error;
      await this.load(createReadStream(archive), { quiet: true });
      return findImage(records, ref);
    }
  }

  use(imageId: string, containerId: string, layerIds?: readonly number[]): void {
    const { state } = this.#context;
    state.transaction(() => {
      state.statement("INSERT OR IGNORE INTO container_images VALUES (?, ?)").run(containerId, imageId);
      if (layerIds) {
        const insert = state.statement("INSERT OR IGNORE INTO container_layers VALUES (?, ?, ?)");
        for (const [position, layer] of layerIds.entries()) insert.run(containerId, position, layer);
        return;
      }
      state
        .statement(
          `INSERT OR IGNORE INTO container_layers
           SELECT ?, position, layer FROM image_layers WHERE image = ?`,
        )
        .run(containerId, imageId);
    });
  }

  release(containerId: string): void {
    const { records, state } = this.#context;
    const row = state
      .statement("DELETE FROM container_images WHERE container = ? RETURNING image")
      .get(containerId);
    // The image was removed by force and left its layers to the container.
    if (row && !records.get(String(row.image))) this.#inBackground(this.#context.layers.collect());
  }

  layersOf(containerId: string): string[] {
    const { layers, state } = this.#context;
    const own = layers.of("container", containerId).map(({ id }) => layers.directory(id));
    if (own.length > 0) return own.reverse();
    const known = state.statement("SELECT 1 FROM container_images WHERE container = ?").get(containerId);
    return known ? [layers.empty()] : [];
  }

  load(tar: Readable, options?: LoadOptions): Promise<string[]> {
    return this.#thenSync(load(this.#context, tar, options));
  }

  /** What was made is there for everybody at once; that it reaches the disk nobody waits for. */
  async #thenSync<T>(work: Promise<T>): Promise<T> {
    const result = await work;
    this.#inBackground(this.#durability.sync());
    return result;
  }

  commit(request: CommitRequest): Promise<string> {
    return this.#thenSync(commitImage(this.#context, request));
  }

  async save(refs: readonly string[]): Promise<Readable> {
    return saveImages(this.#context, refs);
  }

  import(tar: AsyncIterable<Buffer>, options?: ImportOptions): Promise<string> {
    return this.#thenSync(importImage(this.#context, tar, options));
  }

  pull(ref: string, options?: PullOptions): Promise<string> {
    return this.#thenSync(this.#registries.pull(ref, options));
  }

  push(ref: string, options?: PushOptions): Promise<void> {
    return this.#registries.push(ref, options);
  }

  search(term: string, options?: SearchOptions): Promise<SearchResult[]> {
    return this.#registries.search(term, options);
  }

  distribution(ref: string, options?: LookOptions): Promise<DistributionInspect> {
    return this.#registries.distribution(ref, options);
  }

  remoteManifest(ref: string, options?: LookOptions): Promise<RemoteManifest> {
    return this.#registries.manifest(ref, options);
  }

  login(address: string, credentials: Credentials): Promise<void> {
    return this.#registries.login(address, credentials);
  }

  async list(options?: ImageListOptions): Promise<ImageSummary[]> {
    return listImages(this.#context, options);
  }

  async inspect(ref: string): Promise<ImageInspect> {
    return inspectImage(this.#context, ref);
  }

  async extras(ref: string): Promise<ImageExtras> {
    const { records, extras } = this.#context;
    return extras.get(findImage(records, ref).id);
  }

  async history(ref: string): Promise<HistoryResponseItem[]> {
    return imageHistory(this.#context, ref);
  }

  async tag(ref: string, repo: string, tag?: string): Promise<void> {
    tagImage(this.#context, ref, repo, tag);
  }

  remove(ref: string, options?: { force?: boolean; noprune?: boolean }): Promise<ImageDeleteResponseItem[]> {
    return removeImage(this.#context, ref, options);
  }

  prune(filters?: ImageFilters): Promise<ImagePruneResponse> {
    return pruneImages(this.#context, filters);
  }

  check(options?: { repair?: boolean }): Promise<CheckReport> {
    return checkStore(this.#context, options);
  }

  async diskUsage(): Promise<ImageDiskUsage> {
    return imageDiskUsage(this.#context);
  }
}
