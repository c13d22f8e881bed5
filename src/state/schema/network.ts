import type { Schema } from "../migrate.ts";

/** Networks, a JSON document each. Who is in one is told by the containers' own records. */
export const networkSchema: Schema = {
  domain: "network",
  steps: [
    `CREATE TABLE networks(
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       record TEXT NOT NULL
     ) STRICT;`,
  ],
};
