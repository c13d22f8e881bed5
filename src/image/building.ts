import type { ImageContext } from "./context.ts";
import { createdSeconds, platformOf, sha256 } from "./document.ts";
import type { ImageExtras } from "./extras.ts";
import { findImage } from "./find.ts";
import { chainIds, type Layer, type SealDirectory } from "./layers.ts";
import { type Layout, type LayoutImage, type LayoutOptions, layoutArchive } from "./layout/archive.ts";
import { choosePlatform, formatPlatform } from "./platform.ts";
import type { ImageRecord } from "./records.ts";
import {
  canonical,
  familiar,
  familiarRepository,
  isDigest,
  parseReference,
  withDefaultTag,
} from "./reference.ts";
import type { Registries } from "./registry/index.ts";
import type { RemoteImage } from "./registry/remote-image.ts";
import type { ImageDocument, Platform, PullOptions, PushOptions } from "./types.ts";

/** An image to build upon; its layers, lowest first, are held. */
export interface Base {
  id: string;
  document: ImageDocument;
  layers: Layer[];
}

/** Something that a build was made from, as provenance names it. */
export interface Material {
  uri: string;
  digest: Record<string, string>;
  annotations?: Record<string, string>;
}

/** Images as a builder sees them: layers to stand on, and layers and images to add. */
export class ImageBuilding {
  readonly #context: ImageContext;
  readonly #registries: Registries;
  readonly #onAdd: () => void;
  readonly #background: (work: Promise<unknown>) => void;

  /** `onAdd` is called when images or layers have come; `background` takes work that nobody waits for. */
  constructor(
    context: ImageContext,
    registries: Registries,
    onAdd: () => void,
    background: (work: Promise<unknown>) => void,
  ) {
    this.#context = context;
    this.#registries = registries;
    this.#onAdd = onAdd;
    this.#background = background;
  }

  /** See `Registries.open`. */
  openRemote(ref: string, options?: PullOptions): Promise<RemoteImage> {
    return this.#registries.open(ref, options);
  }

  /** See `Registries.pushAs`. */
  pushAs(
    ref: string,
    document: ImageDocument,
    layers: readonly Layer[],
    options?: PushOptions,
  ): Promise<void> {
    const config = Buffer.from(JSON.stringify(document));
    const extras = { annotations: [], provenance: null, attached: false };
    return this.#registries.pushAs(ref, { config, platform: platformOf(document), layers, extras }, options);
  }

  /** The exact bytes of an image's configuration, and its layers, lowest first, held. */
  contents(ref: string): { config: Buffer; layers: Layer[] } {
    const { id, layers } = this.base(ref);
    return { config: this.#context.records.config(id) ?? Buffer.alloc(0), layers };
  }

  /**
   * The image of a name or id; of a name that stands for several the one that suits the platform best. Throws
   * NOT_FOUND with dockerd's words.
   */
  base(ref: string, platform?: Platform): Base {
    const { records, layers: store } = this.#context;
    const found = findImage(records, ref);
    const { id, document } = (platform && this.#member(ref, platform)) ?? found;
    const layers = store.of("image", id);
    for (const layer of layers) store.hold(layer);
    return { id, document, layers };
  }

  #member(ref: string, platform: Platform): ImageRecord | undefined {
    if (isDigest(ref)) return undefined;
    const members = this.#context.extras
      .members(canonical(withDefaultTag(parseReference(ref))))
      .map((id) => findImage(this.#context.records, id));
    return choosePlatform(
      platform,
      members.map((record) => ({ record, platform: platformOf(record.document) })),
    )?.record;
  }

  /** Where an image of this name came from: as a package URL, with its digest. */
  origin(ref: string, { id, document }: Pick<Base, "id" | "document">): Material {
    const { domain, path, tag } = withDefaultTag(parseReference(ref));
    const { digests } = this.#context.records.names(id);
    const pulled = digests.find(({ repository }) => repository === `${domain}/${path}`)?.digest;
    const platform = encodeURIComponent(formatPlatform(platformOf(document)));
    return {
      uri: `pkg:docker/${familiarRepository(`${domain}/${path}`)}${tag ? `@${tag}` : ""}?platform=${platform}`,
      digest: { sha256: (pulled ?? id).replace(/^sha256:/, "") },
      // Of what never was in a registry only the configuration has a digest.
      ...(pulled ? {} : { annotations: { digestOf: "configuration" } }),
    };
  }

  /** Absolute directories of layers, topmost first; at least one. */
  directories(layers: readonly Layer[]): string[] {
    if (layers.length === 0) return [this.#context.layers.empty()];
    return layers.map(({ id }) => this.#context.layers.directory(id)).reverse();
  }

  /** The digest of a stack of layers; empty for none. */
  chainId(layers: readonly Layer[]): string {
    return chainIds(layers.map(({ diffId }) => diffId)).at(-1) ?? "";
  }

  /** See `LayerStore.beginDirectory`. */
  beginDirectory(): Promise<string> {
    return this.#context.layers.beginDirectory();
  }

  /** See `LayerStore.seal`. */
  seal(directory: string, seal: SealDirectory): Promise<Layer | null> {
    return this.#context.layers.seal(directory, seal);
  }

  /** A layer of the archive that `change` makes of another's. It is held. */
  async rewrite(
    layer: Layer,
    change: (archive: AsyncIterable<Buffer>) => AsyncIterable<Buffer>,
  ): Promise<Layer> {
    const { layers } = this.#context;
    const writer = await layers.begin();
    try {
      for await (const chunk of change(layers.archive(layer))) if (!(await writer.write(chunk))) break;
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return layers.adopt(await writer.finish(), []);
  }

  /** Removes a directory of `beginDirectory`, while nobody waits: that of many files takes long. */
  async discard(directory: string): Promise<void> {
    this.#background(this.#context.layers.discard({ directory, packed: null }));
  }

  /** A layer by its number, held; undefined when it is gone. */
  take(id: number): Layer | undefined {
    return this.#context.layers.take(id);
  }

  hold(layer: Layer): void {
    this.#context.layers.hold(layer);
  }

  release(layer: Layer): void {
    this.#context.layers.release(layer);
  }

  /** Removes the layers that nothing refers to any more, without waiting for the disk. */
  async collectLater(): Promise<void> {
    await this.#context.layers.collect(this.#background);
  }

  /** Removes the layers that nothing refers to any more; resolves with their bytes. */
  async collect(): Promise<number> {
    const gone = await this.#context.layers.collect();
    return gone.reduce((sum, { size }) => sum + size, 0);
  }

  /** The id that an image of this configuration has. */
  idOf(config: Buffer): string {
    return sha256(config);
  }

  /** Adds an image of these layers, lowest first; returns its id. */
  add(document: ImageDocument, layers: readonly Layer[], extras?: ImageExtras): string {
    const config = Buffer.from(JSON.stringify(document));
    const id = sha256(config);
    this.#context.records.add({
      id,
      config,
      layers: layers.map((layer) => layer.id),
      size: layers.reduce((sum, layer) => sum + layer.size, 0),
      created: createdSeconds(document),
    });
    if (extras) this.#context.extras.set(id, extras);
    this.#onAdd();
    return id;
  }

  /** An OCI image layout of images that need not be in the store. Their layers are to be held meanwhile. */
  layout(images: readonly LayoutImage[], options: LayoutOptions): Promise<Layout> {
    return layoutArchive(this.#context, images, options);
  }

  /**
   * Gives an image a name; returns it in its short form. `members`: the images of all platforms that the name
   * stands for, when there are several.
   */
  tag(id: string, name: string, members: readonly string[] = []): string {
    const reference = withDefaultTag(parseReference(name));
    const { records, extras, state } = this.#context;
    state.transaction(() => {
      records.setTag(canonical(reference), id);
      if (members.length > 1) extras.setMembers(canonical(reference), members);
    });
    this.#context.emit({ action: "tag", id, attributes: { name: familiar(reference) } });
    return familiar(reference);
  }
}
