import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { VolumeRecord } from "./types.ts";

/** The rows of volumes, in memory and in the database; the database is written first. */
export class VolumeTable {
  readonly #records = new Map<string, VolumeRecord>();
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare("INSERT INTO volumes (name, created, labels, options) VALUES (?, ?, ?, ?)");
    this.#delete = db.prepare("DELETE FROM volumes WHERE name = ?");
    for (const row of db.prepare("SELECT * FROM volumes ORDER BY rowid").all()) {
      const record: VolumeRecord = {
        name: String(row.name),
        created: String(row.created),
        labels: JSON.parse(String(row.labels)),
        options: JSON.parse(String(row.options)),
      };
      this.#records.set(record.name, record);
    }
  }

  /** In the order of their creation. */
  all(): VolumeRecord[] {
    return [...this.#records.values()];
  }

  find(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  add(record: VolumeRecord): void {
    const { name, created, labels, options } = record;
    this.#insert.run(name, created, JSON.stringify(labels), JSON.stringify(options));
    this.#records.set(name, record);
  }

  delete(name: string): void {
    this.#delete.run(name);
    this.#records.delete(name);
  }
}
