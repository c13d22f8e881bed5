import { readFileSync } from "node:fs";
import { tarWork } from "../lib/tar-work.ts";
import type { State } from "../state/index.ts";
import { recordFingerprints } from "./fingerprints.ts";
import type { LayerStore } from "./layers.ts";

/** Changes with every boot of the machine (random(4)). */
const bootIdFile = "/proc/sys/kernel/random/boot_id";

/**
 * Layers are not synced to the disk while somebody waits for them, which would take longer than unpacking
 * them. They are marked until that has happened, and after a power cut those still marked are not trusted.
 * The death of a process loses nothing: what it wrote is the kernel's.
 */
export class Durability {
  readonly #state: State;
  readonly #layers: LayerStore;
  #running: Promise<void> | null = null;

  constructor(state: State, layers: LayerStore) {
    this.#state = state;
    this.#layers = layers;
  }

  /**
   * Syncs all layers that there are now, and notes what their files are like. Calls while one is under way
   * share the next one.
   */
  async sync(): Promise<void> {
    const before = this.#running;
    const next = (async () => {
      if (before) await before;
      await this.#syncNow();
      await recordFingerprints(this.#state, this.#layers);
    })();
    this.#running = next.catch(() => undefined);
    await next;
  }

  async #syncNow(): Promise<void> {
    const { db, paths } = this.#state;
    if (!db.isOpen) return;
    const last = Number(
      db.prepare("SELECT coalesce(max(id), 0) AS id FROM layers WHERE synced = 0").get()?.id ?? 0,
    );
    if (last === 0) return;
    await tarWork(["sync", paths.root]);
    if (db.isOpen) db.prepare("UPDATE layers SET synced = 1 WHERE id <= ?").run(last);
  }

  /**
   * To be called when the root has been opened: forgets images whose layers had not reached the disk when
   * the machine went down, and returns their ids. Their layers are collected like any others.
   */
  afterBoot(): string[] {
    const { db } = this.#state;
    const boot = readFileSync(bootIdFile, "utf8").trim();
    const known = db.prepare("SELECT id FROM last_boot").get();
    return this.#state.transaction(() => {
      db.exec("DELETE FROM last_boot");
      db.prepare("INSERT INTO last_boot VALUES (?)").run(boot);
      if (!known || known.id === boot) return [];
      return this.#forgetUnsynced();
    });
  }

  #forgetUnsynced(): string[] {
    const { db } = this.#state;
    const rows = db
      .prepare(
        "SELECT DISTINCT image FROM image_layers WHERE layer IN (SELECT id FROM layers WHERE synced = 0)",
      )
      .all();
    for (const { image } of rows) db.prepare("DELETE FROM images WHERE id = ?").run(String(image));
    db.exec("DELETE FROM build_steps WHERE layer IN (SELECT id FROM layers WHERE synced = 0)");
    // A container on such a layer keeps it: what it wrote itself was in the same danger.
    return rows.map((row) => String(row.image));
  }
}
