import type { Schema } from "../migrate.ts";

/** Containers, what must be undone after a crash, and who holds which range of host ids. */
export const containerSchema: Schema = {
  domain: "container",
  steps: [
    `CREATE TABLE containers(
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       seq INTEGER NOT NULL,
       record TEXT NOT NULL
     ) STRICT;
     CREATE TABLE undo(
       id INTEGER PRIMARY KEY,
       owner TEXT NOT NULL,
       kind TEXT NOT NULL,
       detail TEXT NOT NULL
     ) STRICT;
     CREATE INDEX undo_owner ON undo(owner);
     CREATE TABLE id_ranges(
       idx INTEGER PRIMARY KEY,
       owner TEXT NOT NULL
     ) STRICT;`,
  ],
};
