import { statfsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { BuildCache } from "@docker/node-sdk";
import type { Workshop } from "../engine/engine.ts";
import { invalid } from "../lib/errors.ts";
import { parseTime } from "../lib/parse-time.ts";
import { removeLargeTree } from "../lib/remove-tree.ts";
import type { CacheMounts } from "./cache-mounts.ts";

export interface PruneOptions {
  /** Also what images still use; forgetting that frees nothing. */
  all?: boolean;
  /** Bytes that may stay, what was used last first. */
  keep?: number;
  /** Bytes that may stay at most. */
  most?: number;
  /** Bytes of the disk that are to be free afterwards, as far as `keep` lets. */
  free?: number;
  filters?: Record<string, string[]>;
}

export interface PruneResult {
  deleted: string[];
  /** Bytes. */
  reclaimed: number;
}

const filterNames = [
  ...["until", "unused-for", "id", "parent", "type", "description", "inuse", "shared", "private"],
];

/** What stays by itself. */
export interface CacheLimits {
  /** Bytes; a tenth of the disk and 2 GB at least when it is not said. */
  size?: number | undefined;
  /** Milliseconds that something may go unused; 60 days when it is not said. */
  age?: number | undefined;
}

const longestUnused = 60 * 86_400_000;
/** The share of the disk that the cache may take, and what it may take of any. */
const share = 0.1;
const leastShare = 2 * 2 ** 30;

type Item = BuildCache & { ID: string; lastUsed: number; Size: number };

/** What the cache keeps: how much it is, and what of it goes. */
export class CacheKeeper {
  readonly #workshop: Workshop;
  readonly #mounts: CacheMounts;
  readonly #limits: CacheLimits;

  constructor(workshop: Workshop, mounts: CacheMounts, limits: CacheLimits = {}) {
    this.#workshop = workshop;
    this.#limits = limits;
    this.#mounts = mounts;
  }

  /** Every outcome that has a layer and every cache mount, as `docker system df` shows them. */
  async list(): Promise<BuildCache[]> {
    return (await this.#items()).map(({ lastUsed: _, ...item }) => item);
  }

  async #items(): Promise<Item[]> {
    const { state, files } = this.#workshop;
    const steps = state
      .statement(
        `SELECT key, kind, description, size, created, last_used, uses,
           layer IN (SELECT layer FROM image_layers) AS shared
         FROM build_steps WHERE layer IS NOT NULL`,
      )
      .all();
    const mounts = state.statement("SELECT * FROM build_mounts").all();
    return [
      ...steps.map((row) => ({
        ...common(row, String(row.key).slice(0, 25)),
        Type: "regular" as const,
        Description: String(row.description),
        InUse: false,
        Shared: row.shared === 1,
        Size: Number(row.size),
      })),
      ...(await Promise.all(
        mounts.map(async (row) => ({
          ...common(row, `mount-${row.number}`),
          Type: "exec.cachemount" as const,
          Description: `cache mount ${row.id}`,
          InUse: this.#mounts.isUsed(Number(row.number)),
          Shared: false,
          Size: await files.size(this.#mounts.directory(Number(row.number))),
        })),
      )),
    ];
  }

  /** Removes what nothing needs. Throws INVALID_PARAMETER for a filter that it does not know. */
  async prune({ all = false, filters = {}, ...bounds }: PruneOptions = {}): Promise<PruneResult> {
    const unknown = Object.keys(filters).find((name) => !filterNames.includes(name));
    if (unknown !== undefined) throw invalid(`invalid filter '${unknown}'`);
    const matches = filter(filters);
    const items = await this.#items();
    let left = items.reduce((sum, item) => sum + (item.Shared ? 0 : item.Size), 0);
    const keep = this.#bound(left, bounds);
    const doomed: Item[] = [];
    for (const item of items.sort((a, b) => a.lastUsed - b.lastUsed)) {
      if (item.InUse || (item.Shared && !all) || !matches(item)) continue;
      if (keep !== undefined && left <= keep) break;
      if (!item.Shared) left -= item.Size;
      doomed.push(item);
    }
    return this.#remove(doomed);
  }

  /** How many bytes may stay of what there is; undefined when nothing is said of that. */
  #bound(
    total: number,
    { keep, most, free }: Pick<PruneOptions, "keep" | "most" | "free">,
  ): number | undefined {
    if (keep === undefined && most === undefined && free === undefined) return undefined;
    const { bavail, bsize } = statfsSync(this.#workshop.state.paths.root);
    const missing = (free ?? 0) - bavail * bsize;
    const bound = Math.min(
      most ?? Number.POSITIVE_INFINITY,
      missing > 0 ? total - missing : Number.POSITIVE_INFINITY,
    );
    // With enough of the disk free, only what is to stay is said.
    if (bound === Number.POSITIVE_INFINITY) return free === undefined ? keep : Math.max(total, keep ?? 0);
    return Math.max(bound, keep ?? 0);
  }

  async #remove(doomed: readonly Item[]): Promise<PruneResult> {
    const { state, images } = this.#workshop;
    const directories: string[] = [];
    let reclaimed = 0;
    state.transaction(() => {
      for (const { ID } of doomed) {
        if (!ID.startsWith("mount-"))
          state.statement("DELETE FROM build_steps WHERE substr(key, 1, 25) = ?").run(ID);
      }
      if (doomed.length === 0) return;
      // Steps that only changed a configuration are of no use without those that made layers.
      const rest = state.statement("SELECT count(*) AS count FROM build_steps WHERE layer IS NOT NULL").get();
      if (Number(rest?.count) === 0) state.statement("DELETE FROM build_steps").run();
    });
    for (const { ID, Size } of doomed) {
      const number = Number(/^mount-(\d+)$/.exec(ID)?.[1] ?? Number.NaN);
      if (Number.isNaN(number) || this.#mounts.isUsed(number)) continue;
      // Its name goes at once, so that nobody takes it up meanwhile.
      state.statement("DELETE FROM build_mounts WHERE number = ?").run(number);
      const away = join(state.paths.temporary, `removed-mount-${number}`);
      await rename(this.#mounts.directory(number), away);
      directories.push(away);
      reclaimed += Size;
    }
    reclaimed += await images.collect();
    for (const directory of directories) await removeLargeTree(directory);
    return { deleted: doomed.map(({ ID }) => ID), reclaimed };
  }

  /** What goes by itself: what was not used for long, and the oldest of what is too much. */
  async tidy(): Promise<void> {
    const { state } = this.#workshop;
    const { age = longestUnused, size } = this.#limits;
    await this.prune({ filters: { until: [`${age}ms`] } });
    const before = Date.now() - age;
    state.statement("DELETE FROM build_steps WHERE layer IS NULL AND last_used < ?").run(before);
    for (const table of ["build_contexts", "build_downloads"])
      state.statement(`DELETE FROM ${table} WHERE last_used < ?`).run(before);
    const { blocks, bsize } = statfsSync(state.paths.root);
    await this.prune({ keep: size ?? Math.max(leastShare, share * blocks * bsize) });
  }
}

function common(row: Record<string, unknown>, ID: string) {
  const lastUsed = Number(row.last_used);
  return {
    ID,
    Parents: [],
    CreatedAt: String(row.created),
    LastUsedAt: new Date(lastUsed).toISOString(),
    UsageCount: Number(row.uses),
    lastUsed,
  };
}

function filter(filters: Record<string, string[]>): (item: Item) => boolean {
  const times = [...(filters.until ?? []), ...(filters["unused-for"] ?? [])];
  const before = Math.min(...times.map((text) => parseTime(text).getTime()));
  const among = (name: string, value: string): boolean => {
    const wanted = filters[name];
    return wanted === undefined || wanted.includes(value);
  };
  return (item) =>
    item.lastUsed < before &&
    (filters.id === undefined || filters.id.some((id) => item.ID.startsWith(id))) &&
    among("type", item.Type ?? "") &&
    among("inuse", String(item.InUse)) &&
    among("shared", String(item.Shared)) &&
    among("private", String(!item.Shared)) &&
    // What a step stands on is part of its key alone.
    filters.parent === undefined &&
    (filters.description === undefined ||
      filters.description.some((text) => item.Description?.includes(text) === true));
}
