import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline, type Readable, Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { countable } from "../lib/bytes.ts";
import { system } from "../lib/errors.ts";
import { removeLargeTree } from "../lib/remove-tree.ts";
import { tarWork } from "../lib/tar-work.ts";
import type { State } from "../state/index.ts";
import type { ContentStore } from "./content.ts";
import { assemble, canAssemble, recipeName, replacedName, verify } from "./layer-archive.ts";
import { type Candidate, LayerWriter } from "./layer-writer.ts";
import { defaultLimits, type Unpacked, type UnpackLimits, unpackInto } from "./unpacker.ts";

/** A layer that is unpacked and kept. Its directory is `layers/<id>/fs`. */
export interface Layer {
  id: number;
  diffId: string;
  /** Bytes of its files. */
  size: number;
}

/** A layer's archive as it is in the content store. */
export interface PackedLayer {
  digest: string;
  packing: string;
  size: number;
}

/** Digests a directory as the archive of a layer that it would be, and writes a recipe of that archive. */
export type SealDirectory = (
  directory: string,
  recipe: string,
) => Promise<Pick<Unpacked, "diffId" | "plainSize" | "size" | "entries">>;

const emptyName = "empty";

/** The digest that names a stack of layers (OCI image specification, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const chains: string[] = [];
  for (const diffId of diffIds) {
    const below = chains.at(-1);
    chains.push(
      below === undefined
        ? diffId
        : `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`,
    );
  }
  return chains;
}

/**
 * Layers on disk, each once. A layer's files do not depend on the layers below it, so that one key, its
 * diff id, serves wherever it occurs; only layers that imply directories they do not describe take those
 * from below and are kept per stack.
 */
export class LayerStore {
  readonly #state: State;
  readonly #content: ContentStore;
  readonly #limits: UnpackLimits;
  /** Layers that an operation under way has found or made: not to be collected. */
  readonly #held = new Map<number, number>();
  /** Whether a collection has passed over layers that were held. */
  #passedOver = false;
  /** Called when layers that a collection passed over have been released. */
  onFree: () => void = () => undefined;
  /** Has layers, which are unpacked in the temporary directory, start in different places of the disk. */
  #spread: Promise<unknown> | null = null;
  /** Blobs that are in the content store before there is a row that says so, and by how many. */
  readonly #arriving = new Map<string, number>();
  readonly #byKey;
  readonly #byPacked;

  constructor(state: State, content: ContentStore, limits: UnpackLimits = defaultLimits) {
    this.#state = state;
    this.#content = content;
    this.#limits = limits;
    this.#byKey = state.db.prepare("SELECT id, diff_id, size FROM layers WHERE key = ?");
    this.#byPacked = state.db.prepare(
      `SELECT l.id, l.diff_id, l.size FROM packed_layers p JOIN layers l ON l.id = p.layer
       WHERE p.digest = ? AND l.key = l.diff_id`,
    );
  }

  directory(id: number): string {
    return join(this.#state.paths.layers, String(id), "fs");
  }

  /** An empty directory, for images without layers. */
  empty(): string {
    const directory = join(this.#state.paths.layers, emptyName, "fs");
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return directory;
  }

  /** A kept layer, by its diff id, in a stack. */
  find(diffId: string, chainId: string): Layer | undefined {
    const row = this.#byKey.get(diffId) ?? this.#byKey.get(chainId);
    return row ? toLayer(row) : undefined;
  }

  /** A kept layer above others, lowest first; it is held. Null when there is none. */
  findAbove(diffId: string, below: readonly Layer[]): Layer | null {
    const layer = this.find(
      diffId,
      chainIds([...below.map((layer) => layer.diffId), diffId]).at(-1) ?? diffId,
    );
    if (layer) this.hold(layer);
    return layer ?? null;
  }

  /** A kept layer that fits any stack and came packed as this digest. */
  findPacked(digest: string): Layer | undefined {
    const row = this.#byPacked.get(digest);
    return row ? toLayer(row) : undefined;
  }

  /** Begins to unpack an archive. */
  async begin(): Promise<LayerWriter> {
    this.#spread ??= tarWork(["spread", this.#state.paths.temporary]);
    await this.#spread;
    const directory = join(this.#state.paths.temporary, `layer-${randomBytes(8).toString("hex")}`);
    const files = join(directory, "fs");
    await mkdir(files, { recursive: true, mode: 0o755 });
    await chmod(directory, 0o711);
    const beside = { recipe: join(directory, recipeName), replaced: join(directory, replacedName) };
    return new LayerWriter(directory, this.#content, () => unpackInto(files, this.#limits, beside));
  }

  /** A directory for a layer that is not made of an archive: `fs` is to become it, `work` is overlayfs's. */
  async beginDirectory(): Promise<string> {
    const directory = join(this.#state.paths.temporary, `layer-${randomBytes(8).toString("hex")}`);
    for (const name of ["fs", "work"]) await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
    await chmod(directory, 0o711);
    return directory;
  }

  /**
   * Keeps what overlayfs wrote to a directory of `beginDirectory` as a layer, as it is: nothing is copied.
   * `seal` digests `fs` and writes the recipe. Null when nothing was written; the directory is gone then.
   * The layer is held.
   */
  async seal(directory: string, seal: SealDirectory): Promise<Layer | null> {
    const { diffId, plainSize, size, entries } = await seal(
      join(directory, "fs"),
      join(directory, recipeName),
    );
    await rm(join(directory, "work"), { recursive: true, force: true });
    const packed = { packedDigest: diffId, packedSize: plainSize, packing: "plain" as const };
    const unpacked = {
      ...packed,
      diffId,
      plainSize,
      size,
      entries,
      recipe: true,
      replaced: false,
      implied: [],
    };
    const candidate = { unpacked, directory, packed: null };
    if (entries > 0) return this.adopt(candidate, []);
    await this.discard(candidate);
    return null;
  }

  /** A kept layer, held; undefined when it is gone. */
  take(id: number): Layer | undefined {
    const row = this.#state.statement("SELECT id, diff_id, size FROM layers WHERE id = ?").get(id);
    if (!row) return undefined;
    const layer = toLayer(row);
    this.hold(layer);
    return layer;
  }

  async discard(candidate: Pick<Candidate, "directory" | "packed">): Promise<void> {
    await candidate.packed?.abort();
    await removeLargeTree(candidate.directory);
  }

  /**
   * Keeps a candidate as the layer above `below` (lowest first), or returns the layer that is there
   * already. The layer is held until `release`.
   */
  async adopt(candidate: Candidate, below: readonly Layer[]): Promise<Layer> {
    const { unpacked } = candidate;
    const chainId =
      chainIds([...below.map(({ diffId }) => diffId), unpacked.diffId]).at(-1) ?? unpacked.diffId;
    const known = this.find(unpacked.diffId, chainId);
    if (known) {
      this.hold(known);
      await this.discard(candidate);
      return known;
    }
    this.#arriving.set(unpacked.packedDigest, (this.#arriving.get(unpacked.packedDigest) ?? 0) + 1);
    try {
      if (candidate.packed) await candidate.packed.commit(unpacked.packedDigest);
      if (unpacked.implied.length > 0 && below.length > 0) await this.#inherit(candidate, below);
      return await this.#place(candidate, unpacked.implied.length > 0 ? chainId : unpacked.diffId);
    } catch (error) {
      await this.discard(candidate);
      throw error;
    } finally {
      const others = (this.#arriving.get(unpacked.packedDigest) ?? 0) - 1;
      if (others > 0) this.#arriving.set(unpacked.packedDigest, others);
      else this.#arriving.delete(unpacked.packedDigest);
      // Adopting failed, or somebody was faster and has it in another packing.
      if (candidate.packed) await this.#dropBlob(unpacked.packedDigest);
    }
  }

  /** Removes a blob that nobody wants: it may be wanted again since it was found to be of no use. */
  async #dropBlob(digest: string): Promise<void> {
    const row = this.#state.statement("SELECT kept FROM packed_layers WHERE digest = ?").get(digest);
    if (row?.kept !== 1 && !this.#arriving.has(digest)) await this.#content.remove(digest);
  }

  async #place(candidate: Candidate, key: string): Promise<Layer> {
    const { unpacked } = candidate;
    // Another may have adopted the same layer meanwhile.
    const known = this.find(key, key);
    if (known) {
      this.hold(known);
      await removeLargeTree(candidate.directory);
      return known;
    }
    const size = countable(unpacked.size);
    const layer = { id: this.#insert(candidate, key, size), diffId: unpacked.diffId, size };
    this.hold(layer);
    return layer;
  }

  #insert(candidate: Candidate, key: string, size: number): number {
    const { unpacked } = candidate;
    const { db } = this.#state;
    let place = "";
    try {
      return this.#state.transaction(() => {
        const row = db
          .prepare(
            "INSERT INTO layers(key, diff_id, size, entries, plain_size, synced) VALUES (?, ?, ?, ?, ?, 0) RETURNING id",
          )
          .get(key, unpacked.diffId, size, unpacked.entries, unpacked.plainSize);
        const layer = Number(row?.id);
        db.prepare("INSERT OR REPLACE INTO packed_layers VALUES (?, ?, ?, ?, ?)").run(
          unpacked.packedDigest,
          layer,
          unpacked.packing,
          unpacked.packedSize,
          candidate.packed ? 1 : 0,
        );
        // Within the transaction: a row without its directory must never be seen. The other way round,
        // a directory without a row, is removed at the next opening.
        renameSync(candidate.directory, dirname(this.directory(layer)));
        place = dirname(this.directory(layer));
        return layer;
      });
    } catch (error) {
      if (place !== "") renameSync(place, candidate.directory);
      throw error;
    }
  }

  async #inherit(candidate: Candidate, below: readonly Layer[]): Promise<void> {
    const lowers = below.map(({ id }) => this.directory(id)).reverse();
    const paths = Buffer.from(candidate.unpacked.implied.map((path) => `${path}\0`).join(""), "latin1");
    await tarWork(["inherit", join(candidate.directory, "fs"), ...lowers], paths);
  }

  /** Keeps a layer from being collected until `release`; counts. */
  hold(layer: Layer): void {
    this.#held.set(layer.id, (this.#held.get(layer.id) ?? 0) + 1);
  }

  release(layer: Layer): void {
    const count = (this.#held.get(layer.id) ?? 0) - 1;
    if (count > 0) {
      this.#held.set(layer.id, count);
      return;
    }
    this.#held.delete(layer.id);
    if (!this.#passedOver) return;
    this.#passedOver = false;
    this.onFree();
  }

  /** The layers of an image or a container, lowest first. */
  of(owner: "image" | "container", id: string): Layer[] {
    const rows = this.#state
      .statement(
        `SELECT l.id, l.diff_id, l.size FROM ${owner}_layers o JOIN layers l ON l.id = o.layer
         WHERE o.${owner} = ? ORDER BY o.position`,
      )
      .all(id);
    return rows.map(toLayer);
  }

  /** The packed forms of a layer that are kept. */
  packedForms(layer: Layer): PackedLayer[] {
    const rows = this.#state.db
      .prepare("SELECT digest, packing, size FROM packed_layers WHERE layer = ? AND kept = 1")
      .all(layer.id);
    return rows.map(({ digest, packing, size }) => ({
      digest: String(digest),
      packing: String(packing),
      size: Number(size),
    }));
  }

  /**
   * A layer's uncompressed archive, whose digest is its diff id, as it came. The stream fails at its end when
   * it is not that any more.
   */
  archive(layer: Layer): Readable {
    const directory = dirname(this.directory(layer.id));
    if (canAssemble(directory)) return assemble(directory, layer.diffId);
    const [packed] = this.packedForms(layer);
    if (!packed) throw system(`layer ${layer.diffId} cannot be made into an archive again`);
    const unpack =
      packed.packing === "zstd" ? createZstdDecompress() : createGunzip({ chunkSize: 256 * 1024 });
    // Errors reach the reader through the last stream.
    return pipeline(this.#content.read(packed.digest), unpack, digestedAs(layer.diffId), () => undefined);
  }

  /** Why the archive of a layer cannot be made from its files as it was; null when it can. */
  async verify(layer: Layer): Promise<string | null> {
    const directory = dirname(this.directory(layer.id));
    if (!existsSync(this.directory(layer.id))) return "its directory is missing";
    if (canAssemble(directory)) return verify(directory, layer.diffId);
    try {
      for await (const _ of this.archive(layer));
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Puts the files of a candidate in the place of a layer's own, which are moved away. Containers that run
   * keep the old ones until they end.
   */
  async replace(layer: Layer, candidate: Candidate): Promise<void> {
    await candidate.packed?.abort();
    const below = this.#anyBelow(layer);
    if (candidate.unpacked.implied.length > 0 && below.length > 0) await this.#inherit(candidate, below);
    const place = dirname(this.directory(layer.id));
    const doomed = existsSync(place) ? await moveAway(place, this.#state.paths.temporary) : null;
    renameSync(candidate.directory, place);
    if (doomed !== null) await removeLargeTree(doomed);
  }

  /** The layers below one, lowest first, in a stack that has it. */
  #anyBelow(layer: Layer): Layer[] {
    for (const owner of ["image", "container"] as const) {
      const row = this.#state
        .statement(`SELECT ${owner} AS owner FROM ${owner}_layers WHERE layer = ? LIMIT 1`)
        .get(layer.id);
      if (!row) continue;
      const stack = this.of(owner, String(row.owner));
      return stack.slice(
        0,
        stack.findIndex(({ id }) => id === layer.id),
      );
    }
    return [];
  }

  /** All layers. */
  all(): Layer[] {
    return this.#state.db.prepare("SELECT id, diff_id, size FROM layers ORDER BY id").all().map(toLayer);
  }

  /** So many layers after one of this number whose files have no fingerprint yet. */
  withoutFingerprint(after: number, count: number): Layer[] {
    return this.#state
      .statement(
        "SELECT id, diff_id, size FROM layers WHERE fingerprint IS NULL AND id > ? ORDER BY id LIMIT ?",
      )
      .all(after, count)
      .map(toLayer);
  }

  /** Bytes of a layer's uncompressed archive. */
  async archiveSize(layer: Layer): Promise<number> {
    const row = this.#state.db.prepare("SELECT plain_size FROM layers WHERE id = ?").get(layer.id);
    let size = Number(row?.plain_size ?? 0);
    if (size === 0) for await (const chunk of this.archive(layer)) size += chunk.length;
    return size;
  }

  /**
   * Removes the layers that nothing refers to; resolves with them when their files are gone, or with `later`
   * as soon as nobody finds them any more: that is given the rest of the work.
   */
  async collect(later?: (work: Promise<void>) => void): Promise<Layer[]> {
    const { db } = this.#state;
    const found = db
      .prepare(
        `SELECT id, diff_id, size FROM layers
         WHERE id NOT IN (SELECT layer FROM image_layers) AND id NOT IN (SELECT layer FROM container_layers)
           AND id NOT IN (SELECT layer FROM build_steps WHERE layer IS NOT NULL)`,
      )
      .all()
      .map(toLayer);
    const unused = found.filter(({ id }) => !this.#held.has(id));
    if (unused.length < found.length) this.#passedOver = true;
    const blobs = this.#state.transaction(() =>
      unused.flatMap(({ id }) => {
        const kept = db.prepare("SELECT digest FROM packed_layers WHERE layer = ? AND kept = 1").all(id);
        db.prepare("DELETE FROM layers WHERE id = ?").run(id);
        return kept.map((row) => String(row.digest));
      }),
    );
    const doomed = await Promise.all(
      unused.map(({ id }) => moveAway(dirname(this.directory(id)), this.#state.paths.temporary)),
    );
    const removed = removeAll(doomed);
    if (later) later(removed);
    else await removed;
    for (const digest of blobs) await this.#dropBlob(digest);
    return unused;
  }

  /** Removes what a crash left without a row: directories and blobs. */
  async sweep(): Promise<void> {
    const { db, paths, leftovers } = this.#state;
    const column = (sql: string): Set<string> =>
      new Set(
        db
          .prepare(sql)
          .all()
          .map((row) => String(Object.values(row)[0])),
      );
    const ids = column("SELECT id FROM layers").add(emptyName);
    const orphans = readdirSync(paths.layers).filter((name) => !ids.has(name));
    const doomed = await Promise.all(
      orphans.map((name) => moveAway(join(paths.layers, name), paths.temporary)),
    );
    for (const path of [...doomed, ...leftovers]) await removeLargeTree(path);
    for (const digest of this.#content.list()) await this.#dropBlob(digest);
  }
}

const toLayer = (row: Record<string, unknown>): Layer => ({
  id: Number(row.id),
  diffId: String(row.diff_id),
  size: Number(row.size),
});

/** Passes bytes on and fails at their end when they are not of this digest. */
function digestedAs(digest: string): Transform {
  const hash = createHash("sha256");
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const actual = `sha256:${hash.digest("hex")}`;
      done(actual === digest ? null : system(`layer ${digest} has become ${actual}`));
    },
  });
}

/** Takes a directory's name away at once; its files go later. */
async function moveAway(directory: string, temporary: string): Promise<string> {
  const doomed = join(temporary, `removed-${randomBytes(8).toString("hex")}`);
  await rename(directory, doomed);
  return doomed;
}

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) await removeLargeTree(path);
}
