import type { DatabaseSync } from "node:sqlite";
import { system } from "../lib/errors.ts";

/**
 * The tables of one domain, as the SQL that leads from each version to the next. A step that was
 * released is never edited; changes are appended.
 */
export interface Schema {
  domain: string;
  steps: readonly string[];
}

/**
 * Brings every domain to its newest version, each step in a transaction of its own.
 * Throws when the database was written by a newer Berth than this one.
 */
export function migrate(database: DatabaseSync, schemas: readonly Schema[]): void {
  database.exec(
    "CREATE TABLE IF NOT EXISTS schema_version(domain TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
  );
  const read = database.prepare("SELECT version FROM schema_version WHERE domain = ?");
  const write = database.prepare("INSERT OR REPLACE INTO schema_version VALUES (?, ?)");
  for (const { domain, steps } of schemas) {
    const version = Number(read.get(domain)?.version ?? 0);
    if (version > steps.length) {
      throw system(
        `the data root was written by a newer Berth (${domain} tables are version ${version}, this one knows ${steps.length}); upgrade Berth`,
      );
    }
    for (let next = version; next < steps.length; next++) {
      database.exec("BEGIN IMMEDIATE");
      try {
        database.exec(steps[next] ?? "");
        write.run(domain, next + 1);
        database.exec("COMMIT");
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    }
  }
}
