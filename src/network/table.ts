import type { DatabaseSync, StatementSync } from "node:sqlite";
import { invalid, notFound } from "../lib/errors.ts";
import type { NetworkRecord } from "./types.ts";

/** All networks, in memory and in the database; the database is written first. */
export class NetworkTable {
  readonly #byId = new Map<string, NetworkRecord>();
  readonly #byName = new Map<string, NetworkRecord>();
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#put = db.prepare("INSERT OR REPLACE INTO networks (id, name, record) VALUES (?, ?, ?)");
    this.#delete = db.prepare("DELETE FROM networks WHERE id = ?");
    for (const row of db.prepare("SELECT record FROM networks ORDER BY rowid").all())
      this.#index(JSON.parse(String(row.record)));
  }

  /** In the order of their creation. */
  all(): NetworkRecord[] {
    return [...this.#byId.values()];
  }

  /** By full id, name or unique beginning of an id. Throws for a beginning of several. */
  find(ref: string): NetworkRecord | undefined {
    const exact = this.#byId.get(ref) ?? this.#byName.get(ref);
    if (exact || ref === "") return exact;
    const matches = this.all().filter(({ id }) => id.startsWith(ref));
    if (matches.length > 1)
      throw invalid(`network ${ref} is ambiguous (${matches.length} matches found on ID prefix)`);
    return matches[0];
  }

  /** As `find`; throws NOT_FOUND with dockerd's words. */
  get(ref: string): NetworkRecord {
    const found = this.find(ref);
    if (!found) throw notFound(`network ${ref} not found`);
    return found;
  }

  /** Adds a network, or writes it as it now is. */
  save(record: NetworkRecord): void {
    this.#put.run(record.id, record.name, JSON.stringify(record));
    this.#index(record);
  }

  delete(record: NetworkRecord): void {
    this.#delete.run(record.id);
    this.#byId.delete(record.id);
    this.#byName.delete(record.name);
  }

  #index(record: NetworkRecord): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record);
  }
}
