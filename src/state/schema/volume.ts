import type { Schema } from "../migrate.ts";

/** Volumes by name. Who uses one is told by the containers' own records, which cannot drift. */
export const volumeSchema: Schema = {
  domain: "volume",
  steps: [
    `CREATE TABLE volumes(
       name TEXT PRIMARY KEY,
       created TEXT NOT NULL,
       labels TEXT NOT NULL,
       options TEXT NOT NULL
     ) STRICT;`,
  ],
};
