import { countable } from "../lib/bytes.ts";
import { invalid } from "../lib/errors.ts";
import type { State } from "../state/index.ts";
import { parseDocument } from "./document.ts";
import type { ImageDocument } from "./types.ts";

/** An image as it is kept. */
export interface ImageRecord {
  id: string;
  document: ImageDocument;
  /** When the image was last given a name, in milliseconds since 1970; 0 for never. */
  tagged: number;
  /** Bytes of the files of all its layers. */
  size: number;
}

/** The names of an image, complete: docker.io/library/busybox:latest. */
export interface ImageNames {
  tags: string[];
  digests: { repository: string; digest: string }[];
}

/** A manifest with its exact bytes. */
export interface StoredManifest {
  digest: string;
  mediaType: string;
  body: Buffer;
}

/** Parsed configurations of the images used last, so that creating a container parses nothing. */
const maxCached = 256;

/** Images and their names in the database. */
export class ImageRecords {
  readonly #state: State;
  readonly #cache = new Map<string, ImageRecord>();
  /** Images that are to get a name, by how many. */
  readonly #arriving = new Map<string, number>();
  readonly #select;
  readonly #selectPrefix;
  readonly #selectTag;
  readonly #selectDigest;

  constructor(state: State) {
    this.#state = state;
    const { db } = state;
    this.#select = db.prepare("SELECT config, tagged, size FROM images WHERE id = ?");
    this.#selectPrefix = db.prepare("SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2");
    this.#selectTag = db.prepare("SELECT image FROM tags WHERE ref = ?");
    this.#selectDigest = db.prepare("SELECT image FROM repo_digests WHERE repo = ? AND digest = ?");
  }

  get(id: string): ImageRecord | undefined {
    const cached = this.#cache.get(id);
    if (cached) return cached;
    const row = this.#select.get(id);
    if (!row || !(row.config instanceof Uint8Array)) return undefined;
    const record = {
      id,
      document: parseDocument(Buffer.from(row.config)),
      tagged: Number(row.tagged),
      size: Number(row.size),
    };
    if (this.#cache.size >= maxCached) this.#cache.clear();
    this.#cache.set(id, record);
    return record;
  }

  /** The exact bytes of an image's configuration. */
  config(id: string): Buffer | undefined {
    const row = this.#select.get(id);
    return row?.config instanceof Uint8Array ? Buffer.from(row.config) : undefined;
  }

  all(): ImageRecord[] {
    const rows = this.#state.db.prepare("SELECT id FROM images ORDER BY created DESC, id").all();
    return rows.map(({ id }) => this.get(String(id))).filter((record) => record !== undefined);
  }

  /** The one image whose id begins so; undefined when there is none or more than one. */
  byPrefix(hex: string): string | undefined {
    const [first, second] = this.#selectPrefix.all(`sha256:${hex}`, `sha256:${hex}g`);
    return first && !second ? String(first.id) : undefined;
  }

  byTag(ref: string): string | undefined {
    const row = this.#selectTag.get(ref);
    return row ? String(row.image) : undefined;
  }

  byDigest(repository: string, digest: string): string | undefined {
    const row = this.#selectDigest.get(repository, digest);
    return row ? String(row.image) : undefined;
  }

  /** All names of a repository and the images that have them. */
  tagsOf(repository: string): [name: string, id: string][] {
    const rows = this.#state.db
      .prepare("SELECT ref, image FROM tags WHERE ref > ? AND ref < ? ORDER BY ref")
      .all(`${repository}:`, `${repository};`);
    return rows.map((row) => [String(row.ref), String(row.image)]);
  }

  names(id: string): ImageNames {
    const tags = this.#state.db.prepare("SELECT ref FROM tags WHERE image = ? ORDER BY ref").all(id);
    const digests = this.#state.db
      .prepare("SELECT repo, digest FROM repo_digests WHERE image = ? ORDER BY repo, digest")
      .all(id);
    return {
      tags: tags.map((row) => String(row.ref)),
      digests: digests.map((row) => ({ repository: String(row.repo), digest: String(row.digest) })),
    };
  }

  /** The image that one was committed from, as long as it is here. */
  parentOf(id: string): string | undefined {
    const row = this.#state
      .statement("SELECT p.id FROM images i JOIN images p ON p.id = i.parent WHERE i.id = ?")
      .get(id);
    return row ? String(row.id) : undefined;
  }

  /** Whether images were committed from one. */
  hasChildren(id: string): boolean {
    return this.#state.statement("SELECT 1 FROM images WHERE parent = ? LIMIT 1").get(id) !== undefined;
  }

  /** Adds an image of these layers, lowest first; nothing changes when it is known already. */
  add(image: {
    id: string;
    config: Buffer;
    layers: number[];
    size: number;
    created: number;
    parent?: string;
  }): void {
    const { db } = this.#state;
    this.#state.transaction(() => {
      const added = db
        .prepare("INSERT OR IGNORE INTO images(id, config, created, size, parent) VALUES (?, ?, ?, ?, ?)")
        .run(image.id, image.config, image.created, countable(image.size), image.parent ?? null);
      if (added.changes === 0) return;
      const insert = db.prepare("INSERT INTO image_layers VALUES (?, ?, ?)");
      image.layers.forEach((layer, position) => void insert.run(image.id, position, layer));
    });
  }

  /**
   * Keeps an image that is to get a name from being taken for one that nobody wants, until the returned function is
   * called. It need not be here yet.
   */
  arrive(id: string): () => void {
    this.#arriving.set(id, (this.#arriving.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#arriving.get(id) ?? 0) - 1;
      if (left > 0) this.#arriving.set(id, left);
      else this.#arriving.delete(id);
    };
  }

  isArriving(id: string): boolean {
    return this.#arriving.has(id);
  }

  delete(id: string): void {
    this.#cache.delete(id);
    this.#state.db.prepare("DELETE FROM images WHERE id = ?").run(id);
  }

  /** Gives an image a name, taking it from another that has it. */
  setTag(ref: string, id: string): void {
    // It would read like a digest.
    if (ref.startsWith("docker.io/library/sha256:"))
      throw invalid("refusing to create an ambiguous tag using digest algorithm as name");
    this.#state.transaction(() => {
      this.#state.db.prepare("INSERT OR REPLACE INTO tags VALUES (?, ?)").run(ref, id);
      this.#state.db.prepare("UPDATE images SET tagged = ? WHERE id = ?").run(Date.now(), id);
    });
    this.#cache.delete(id);
  }

  removeTag(ref: string): void {
    this.#state.db.prepare("DELETE FROM tags WHERE ref = ?").run(ref);
  }

  setDigest(repository: string, digest: string, id: string): void {
    this.#state.db
      .prepare("INSERT OR REPLACE INTO repo_digests VALUES (?, ?, ?)")
      .run(repository, digest, id);
  }

  removeDigest(repository: string, digest: string): void {
    this.#state.db.prepare("DELETE FROM repo_digests WHERE repo = ? AND digest = ?").run(repository, digest);
  }

  /** Remembers the manifest that an image was pulled by. */
  setManifest(manifest: StoredManifest, id: string): void {
    this.#state.db
      .prepare("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?)")
      .run(manifest.digest, manifest.mediaType, manifest.body, id);
  }

  /** The image that was pulled by this manifest. */
  byManifest(digest: string): string | undefined {
    const row = this.#state.db.prepare("SELECT image FROM manifests WHERE digest = ?").get(digest);
    return row ? String(row.image) : undefined;
  }

  /** The manifests of an image, the one it was pulled or pushed by last first. */
  manifestsOf(id: string): StoredManifest[] {
    const rows = this.#state.db
      .prepare("SELECT digest, media_type, body FROM manifests WHERE image = ? ORDER BY rowid DESC")
      .all(id);
    return rows.map(({ digest, media_type, body }) => ({
      digest: String(digest),
      mediaType: String(media_type),
      body: body instanceof Uint8Array ? Buffer.from(body) : Buffer.alloc(0),
    }));
  }
}
