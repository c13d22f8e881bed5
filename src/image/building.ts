import type { ImageContext } from "./context.ts";
import { createdSeconds, sha256 } from "./document.ts";
import { findImage } from "./find.ts";
import { chainIds, type Layer, type SealDirectory } from "./layers.ts";
import { type Layout, type LayoutImage, type LayoutOptions, layoutArchive } from "./layout/archive.ts";
import { canonical, familiar, parseReference, withDefaultTag } from "./reference.ts";
import type { ImageDocument } from "./types.ts";

/** An image to build upon; its layers, lowest first, are held. */
export interface Base {
  id: string;
  document: ImageDocument;
  layers: Layer[];
}

/** Images as a builder sees them: layers to stand on, and layers and images to add. */
export class ImageBuilding {
  readonly #context: ImageContext;
  readonly #onAdd: () => void;

  /** `onAdd` is called when images or layers have come. */
  constructor(context: ImageContext, onAdd: () => void) {
    this.#context = context;
    this.#onAdd = onAdd;
  }

  /** Throws NOT_FOUND with dockerd's words. */
  base(ref: string): Base {
    const { id, document } = findImage(this.#context.records, ref);
    const layers = this.#context.layers.of("image", id);
    for (const layer of layers) this.#context.layers.hold(layer);
    return { id, document, layers };
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

  /** Removes a directory of `beginDirectory`. */
  discard(directory: string): Promise<void> {
    return this.#context.layers.discard({ directory, packed: null });
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
  add(document: ImageDocument, layers: readonly Layer[]): string {
    const config = Buffer.from(JSON.stringify(document));
    const id = sha256(config);
    this.#context.records.add({
      id,
      config,
      layers: layers.map((layer) => layer.id),
      size: layers.reduce((sum, layer) => sum + layer.size, 0),
      created: createdSeconds(document),
    });
    this.#onAdd();
    return id;
  }

  /** An OCI image layout of images that need not be in the store. Their layers are to be held meanwhile. */
  layout(images: readonly LayoutImage[], options: LayoutOptions): Promise<Layout> {
    return layoutArchive(this.#context, images, options);
  }

  /** Gives an image a name; returns it in its short form. */
  tag(id: string, name: string): string {
    const reference = withDefaultTag(parseReference(name));
    this.#context.records.setTag(canonical(reference), id);
    this.#context.emit({ action: "tag", id, attributes: { name: familiar(reference) } });
    return familiar(reference);
  }
}
