import { mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Volume, VolumeCreateOptions, VolumeListResponse, VolumePruneResponse } from "@docker/node-sdk";
import { BerthError, conflict, notFound } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import { isMounted } from "../lib/mounts.ts";
import { orNull } from "../lib/or-null.ts";
import type { State } from "../state/index.ts";
import { checkRequest } from "./check.ts";
import { anonymousLabel, listTest, pruneTest } from "./filters.ts";
import { mountVolume, needsMount, unmountVolume } from "./mounter.ts";
import { VolumeTable } from "./table.ts";
import type { VolumeFilters, VolumeRecord, VolumeRequest, VolumeStoreOptions, Volumes } from "./types.ts";

/** The local driver: a directory for each volume, `volumes/<name>/_data`. */
export class VolumeStore implements Volumes {
  readonly #root: string;
  readonly #temporary: string;
  readonly #table: VolumeTable;
  readonly #options: VolumeStoreOptions;
  /** Containers that run with a volume. */
  readonly #mounting = new KeyedMutex();
  readonly #filling = new KeyedMutex();
  readonly #holders = new Map<string, Set<string>>();

  constructor(state: State, options: VolumeStoreOptions) {
    this.#root = state.paths.volumes;
    this.#temporary = state.paths.temporary;
    this.#table = new VolumeTable(state.db);
    this.#options = options;
    this.#removeHalfMade();
  }

  /** What a crash left between directory and row. Data is never removed here. */
  #removeHalfMade(): void {
    const names = new Set(readdirSync(this.#root));
    for (const { name } of this.#table.all()) if (!names.has(name)) this.#table.delete(name);
    for (const name of names) {
      if (this.#table.find(name)) continue;
      for (const directory of [this.directory(name), join(this.#root, name)]) removeEmpty(directory);
    }
  }

  /** Where a volume's files are. */
  directory(name: string): string {
    return join(this.#root, name, "_data");
  }

  find(name: string): VolumeRecord | undefined {
    return this.#table.find(name);
  }

  /** The volume of that name, made if need be; a new anonymous one without a name. Throws dockerd's texts. */
  ensure(request: VolumeRequest): VolumeRecord {
    const name = request.name || newId();
    checkRequest(name, request);
    const existing = this.#table.find(name);
    if (existing) return existing;
    const record: VolumeRecord = {
      name,
      created: `${new Date().toISOString().slice(0, 19)}Z`,
      labels: { ...request.labels, ...(request.name ? {} : { [anonymousLabel]: "" }) },
      options: { ...request.options },
    };
    mkdirSync(this.directory(name), { recursive: true, mode: 0o755 });
    this.#table.add(record);
    this.#options.onEvent("create", name, { driver: "local" });
    return record;
  }

  async list(filters: VolumeFilters = {}): Promise<VolumeListResponse> {
    const users = this.#options.users();
    const test = listTest(filters, ({ name }) => users.has(name));
    const volumes = this.#table.all().filter(test);
    return { Volumes: volumes.map((record) => this.#describe(record)), Warnings: orNull<string[]>(null) };
  }

  async create(options: VolumeCreateOptions = {}): Promise<Volume> {
    const { Name, Driver, Labels, DriverOpts } = options;
    return this.#describe(this.ensure({ name: Name, driver: Driver, labels: Labels, options: DriverOpts }));
  }

  async inspect(name: string): Promise<Volume> {
    const record = this.#table.find(name);
    if (!record) throw notFound(`get ${name}: no such volume`);
    return this.#describe(record);
  }

  async remove(name: string, options: { force?: boolean } = {}): Promise<void> {
    if (!this.#table.find(name)) {
      if (options.force) return;
      throw notFound(`get ${name}: no such volume`);
    }
    this.#refuseUsed(name);
    // A rm of something still mounted would remove what the volume only shows.
    await this.#mounting.run(name, () => unmountVolume(this.directory(name)));
    // That took its time.
    if (!this.#table.find(name)) return;
    this.#refuseUsed(name);
    const doomed = join(this.#temporary, newId());
    renameSync(join(this.#root, name), doomed);
    this.#table.delete(name);
    this.#options.onEvent("destroy", name, { driver: "local" });
    await rm(doomed, { recursive: true, force: true });
  }

  #refuseUsed(name: string): void {
    const users = this.#options.users().get(name) ?? [];
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(", ")}]`);
  }

  /** Removes a volume unless somebody else has it or has removed it. */
  async removeUnused(name: string): Promise<void> {
    try {
      await this.remove(name, { force: true });
    } catch (error) {
      if (!(error instanceof BerthError && error.code === "CONFLICT")) throw error;
    }
  }

  async prune(filters: VolumeFilters = {}): Promise<VolumePruneResponse> {
    const test = pruneTest(filters);
    const users = this.#options.users();
    const deleted: string[] = [];
    let space = 0;
    for (const record of this.#table.all()) {
      if (users.has(record.name) || !test(record)) continue;
      const size = await this.#options.sizeOf(this.directory(record.name));
      await this.removeUnused(record.name);
      if (this.#table.find(record.name)) continue;
      space += size;
      deleted.push(record.name);
    }
    this.#options.onEvent("prune", "", { reclaimed: String(space) });
    return { VolumesDeleted: deleted, SpaceReclaimed: space };
  }

  async diskUsage(): Promise<Volume[]> {
    const users = this.#options.users();
    return Promise.all(
      this.#table.all().map(async (record) => ({
        ...this.#describe(record),
        UsageData: {
          RefCount: users.get(record.name)?.length ?? 0,
          // What a mounted volume shows is not this disk's.
          Size: needsMount(record) ? -1 : await this.#options.sizeOf(this.directory(record.name)),
        },
      })),
    );
  }

  /** Before a container with the volume starts: mounts it when it is more than a directory. */
  async acquire(name: string, containerId: string): Promise<void> {
    const record = this.#table.find(name);
    if (!record) throw notFound(`get ${name}: no such volume`);
    const holders = this.#holders.get(name) ?? new Set();
    this.#holders.set(name, holders.add(containerId));
    if (!needsMount(record)) return;
    try {
      await this.#mounting.run(name, () => mountVolume(record, this.directory(name)));
    } catch (error) {
      holders.delete(containerId);
      throw error;
    }
  }

  /** After it ended; the last one unmounts. False when the container did not hold the volume. */
  async release(name: string, containerId: string): Promise<boolean> {
    const holders = this.#holders.get(name);
    if (!holders?.delete(containerId)) return false;
    if (holders.size > 0) return true;
    this.#holders.delete(name);
    const record = this.#table.find(name);
    if (record && needsMount(record))
      await this.#mounting.run(name, async () => {
        // The next one may have come meanwhile.
        if (!this.#holders.has(name)) await unmountVolume(this.directory(name));
      });
    return true;
  }

  /** Runs what fills a volume while it is a container's, one after the other. */
  async fill(name: string, containerId: string, task: () => Promise<void>): Promise<void> {
    await this.acquire(name, containerId);
    try {
      await this.#filling.run(name, task);
    } finally {
      await this.release(name, containerId);
    }
  }

  /** A container that was found running with the volume. */
  adopt(name: string, containerId: string): void {
    this.#holders.set(name, (this.#holders.get(name) ?? new Set()).add(containerId));
  }

  /** Unmounts what an earlier daemon mounted for containers that are gone. */
  async unmountIdle(): Promise<void> {
    for (const record of this.#table.all()) {
      if (!needsMount(record) || this.#holders.has(record.name)) continue;
      if (isMounted(this.directory(record.name))) await unmountVolume(this.directory(record.name));
    }
  }

  #describe(record: VolumeRecord): Volume {
    return {
      CreatedAt: record.created,
      Driver: "local",
      Labels: nullWhenEmpty(record.labels),
      Mountpoint: this.directory(record.name),
      Name: record.name,
      Options: nullWhenEmpty(record.options),
      Scope: "local",
    };
  }
}

const nullWhenEmpty = (map: Record<string, string>): Record<string, string> =>
  orNull(Object.keys(map).length > 0 ? map : null);

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code !== "ENOENT" && code !== "ENOTEMPTY") throw error;
  }
}
