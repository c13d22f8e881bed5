import type { Schema } from "../migrate.ts";

/**
 * Containers, a JSON document each. What a container owns elsewhere (directory, cgroup, shim) is
 * named by its id, so that a crash leaves nothing which these rows do not explain.
 */
export const containerSchema: Schema = {
  domain: "container",
  steps: [
    `CREATE TABLE containers(
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       record TEXT NOT NULL
     ) STRICT;`,
  ],
};
