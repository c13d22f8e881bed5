import type { DatabaseSync, StatementSync } from "node:sqlite";
import { conflict, invalid, notFound } from "../lib/errors.ts";
import { Container } from "./container.ts";
import type { ContainerRecord } from "./record.ts";

/** All containers, in memory and in the database; the database is written first. */
export class ContainerTable {
  readonly #byId = new Map<string, Container>();
  readonly #byName = new Map<string, Container>();
  /** Those that have links to others: few. */
  readonly #linking = new Set<Container>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #rename: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare("INSERT INTO containers (id, name, record) VALUES (?, ?, ?)");
    this.#update = db.prepare("UPDATE containers SET record = ? WHERE id = ?");
    this.#rename = db.prepare("UPDATE containers SET name = ?, record = ? WHERE id = ?");
    this.#delete = db.prepare("DELETE FROM containers WHERE id = ?");
    for (const row of db.prepare("SELECT record FROM containers ORDER BY rowid").all()) {
      this.#index(new Container(JSON.parse(String(row.record)) as ContainerRecord));
    }
  }

  /** In the order of their creation. */
  all(): Container[] {
    return [...this.#byId.values()];
  }

  hasName(name: string): boolean {
    return this.#byName.has(name);
  }

  hasId(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Those that Docker's API shows, in the order of their creation. */
  containers(): Container[] {
    return this.all().filter(({ record }) => !record.machine);
  }

  /**
   * A container that Docker's API shows, by full id, name (with or without slash) or unique id prefix; throws
   * dockerd's texts.
   */
  get(ref: string): Container {
    const container = this.find(ref);
    if (!container || container.record.machine) throw notFound(`No such container: ${ref}`);
    return container;
  }

  find(ref: string): Container | null {
    const bare = ref.startsWith("/") ? ref.slice(1) : ref;
    if (bare === "") return null;
    const exact = this.#byId.get(bare) ?? this.#byName.get(bare);
    if (exact) return exact;
    let found: Container | null = null;
    for (const [id, container] of this.#byId) {
      if (!id.startsWith(bare)) continue;
      if (found) throw invalid(`Multiple IDs found with provided prefix: ${ref}`);
      found = container;
    }
    return found;
  }

  /** Throws when the name is taken. */
  add(record: ContainerRecord): Container {
    this.#checkName(record.name);
    const container = new Container(record);
    this.#insert.run(record.id, record.name, JSON.stringify(record));
    this.#index(container);
    return container;
  }

  /** Writes the record as it now is. */
  save(container: Container): void {
    this.#update.run(JSON.stringify(container.record), container.id);
  }

  rename(container: Container, name: string): void {
    this.#checkName(name);
    const old = container.record.name;
    container.record.name = name;
    this.#rename.run(name, JSON.stringify(container.record), container.id);
    this.#byName.delete(old);
    this.#byName.set(name, container);
  }

  delete(container: Container): void {
    this.#delete.run(container.id);
    this.#byId.delete(container.id);
    this.#byName.delete(container.record.name);
    this.#linking.delete(container);
  }

  /** The containers that are linked to one (`--link`). */
  linking(id: string): Container[] {
    return [...this.#linking].filter(({ record }) => record.links?.some((link) => link.id === id));
  }

  #index(container: Container): void {
    this.#byId.set(container.id, container);
    this.#byName.set(container.record.name, container);
    if (container.record.links?.length) this.#linking.add(container);
  }

  #checkName(name: string): void {
    const holder = this.#byName.get(name);
    if (!holder) return;
    throw conflict(
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". ` +
        "You have to remove (or rename) that container to be able to reuse that name.",
    );
  }
}
