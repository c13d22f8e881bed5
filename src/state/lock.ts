import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { conflict } from "../lib/errors.ts";

/** Exclusive ownership of a directory. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the exclusive lock of `directory`, or throws a CONFLICT that names the process that holds it.
 *
 * Node has no flock(2); SQLite's own lock of a database file is an fcntl(2) record lock, which the
 * kernel drops when the process ends, however it ends. SQLite also refuses a second lock from within
 * the same process, which fcntl alone would grant.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const ownerFile = join(directory, "owner");
  const database = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw conflict(
      `the data root ${directory} is in use by ${describeOwner(ownerFile)}; stop it first or choose another data root`,
    );
  }
  // The pid is in a file of its own: opening and closing the lock file here would drop the lock.
  writeFileSync(ownerFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release() {
      rmSync(ownerFile, { force: true });
      database.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

function describeOwner(ownerFile: string): string {
  let pid = "";
  try {
    pid = readFileSync(ownerFile, "utf8").trim();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return pid === "" ? "another process" : `process ${pid}`;
}
