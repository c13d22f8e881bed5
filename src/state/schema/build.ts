import type { Schema } from "../migrate.ts";

/** What builds have made, to be used again. */
export const buildSchema: Schema = {
  domain: "build",
  steps: [
    // The outcome of a step, by all that it depends on. Without a layer it changed no file.
    `CREATE TABLE build_steps(
       key TEXT PRIMARY KEY,
       kind TEXT NOT NULL,
       description TEXT NOT NULL,
       layer INTEGER REFERENCES layers(id),
       size INTEGER NOT NULL,
       created TEXT NOT NULL,
       last_used INTEGER NOT NULL,
       uses INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX build_steps_layer ON build_steps(layer);`,
    // Directories of cache mounts; several have the same id when they were used at the same time.
    `CREATE TABLE build_mounts(
       number INTEGER PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL,
       created TEXT NOT NULL,
       last_used INTEGER NOT NULL,
       uses INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX build_mounts_id ON build_mounts(id);`,
    // Digests of files in directories that were built from, a line each: only what changed is read again.
    `CREATE TABLE build_contexts(
       root TEXT PRIMARY KEY,
       digests TEXT NOT NULL,
       last_used INTEGER NOT NULL
     ) STRICT;`,
    // What servers said of files that were fetched, so that they can be asked whether it still holds.
    `CREATE TABLE build_downloads(
       url TEXT PRIMARY KEY,
       digest TEXT NOT NULL,
       etag TEXT,
       last_modified TEXT,
       last_used INTEGER NOT NULL
     ) STRICT;`,
    // What a build said of an image beyond its configuration: annotations and provenance, as JSON.
    `CREATE TABLE image_extras(
       image TEXT PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE,
       annotations TEXT NOT NULL,
       provenance TEXT,
       attached INTEGER NOT NULL
     ) STRICT;`,
    // A name that stands for images of several platforms. Whoever gives the name away takes these with it.
    `CREATE TABLE tag_members(
       ref TEXT NOT NULL REFERENCES tags(ref) ON DELETE CASCADE,
       position INTEGER NOT NULL,
       image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
       PRIMARY KEY(ref, position)
     ) STRICT;
     CREATE INDEX tag_members_image ON tag_members(image);`,
  ],
};
