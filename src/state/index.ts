import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { system } from "../lib/errors.ts";
import { lockDirectory } from "./lock.ts";
import { migrate } from "./migrate.ts";
import { type DataPaths, dataPaths, makeDataDirectories } from "./paths.ts";
import { schemas } from "./schema/index.ts";

export type { DataPaths } from "./paths.ts";

/** An open data root. It has one owner at a time. */
export interface State {
  readonly paths: DataPaths;
  readonly db: DatabaseSync;
  /** A prepared statement, made at its first use and kept. */
  statement(sql: string): StatementSync;
  /**
   * Runs `work` in a transaction: all of its writes happen or, when it throws, none. Nests. `work` is
   * synchronous: a transaction that waits would take in what others write meanwhile.
   */
  transaction<T>(work: () => T): T;
  /** What a crash left half-made, in `paths.temporary`; to be removed by whoever opened the root. */
  readonly leftovers: readonly string[];
  close(): void;
}

/**
 * Opens a data root, making it if need be: takes its lock (CONFLICT, naming the holder's pid, when
 * another process has it) and brings the tables up to date.
 */
export function openState(dataRoot: string): State {
  const paths = dataPaths(resolve(dataRoot));
  makeDataDirectories(paths);
  const lock = lockDirectory(paths.root);
  try {
    const db = openDatabase(paths.database);
    const statement = statements(db);
    return {
      paths,
      db,
      statement,
      transaction: transactions(db, statement),
      leftovers: readdirSync(paths.temporary).map((name) => join(paths.temporary, name)),
      close() {
        db.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5000 });
  try {
    // With WAL and NORMAL a commit does not wait for the disk: a power cut may cost the last
    // transactions but never consistency, and the death of the process costs nothing.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
    migrate(db, schemas);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function statements(db: DatabaseSync): State["statement"] {
  const kept = new Map<string, StatementSync>();
  return (sql) => {
    let prepared = kept.get(sql);
    if (!prepared) {
      prepared = db.prepare(sql);
      kept.set(sql, prepared);
    }
    return prepared;
  };
}

/** SQLITE_FULL */
const isFull = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && error.errcode === 13;

function transactions(db: DatabaseSync, statement: State["statement"]): State["transaction"] {
  let depth = 0;
  return (work) => {
    const name = `nested_${depth}`;
    statement(depth === 0 ? "BEGIN IMMEDIATE" : `SAVEPOINT ${name}`).run();
    depth++;
    try {
      const result = work();
      statement(depth === 1 ? "COMMIT" : `RELEASE ${name}`).run();
      return result;
    } catch (error) {
      // SQLite itself rolls all back after some failures, such as a full disk.
      if (db.isTransaction) {
        if (depth > 1) statement(`ROLLBACK TO ${name}`).run();
        statement(depth === 1 ? "ROLLBACK" : `RELEASE ${name}`).run();
      }
      throw isFull(error) ? system("no space left on device", error) : error;
    } finally {
      depth--;
    }
  };
}
