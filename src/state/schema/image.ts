import type { Schema } from "../migrate.ts";

/**
 * Images and what they are made of. References are rows with foreign keys rather than counters:
 * a counter can drift after a crash, a row cannot.
 */
export const imageSchema: Schema = {
  domain: "image",
  steps: [
    // An image's id is the digest of its configuration, whose exact bytes are kept.
    `CREATE TABLE images(
       id TEXT PRIMARY KEY,
       config BLOB NOT NULL,
       created INTEGER NOT NULL,
       tagged INTEGER NOT NULL DEFAULT 0,
       size INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE tags(
       ref TEXT PRIMARY KEY,
       image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
     ) STRICT;
     CREATE INDEX tags_image ON tags(image);
     CREATE TABLE repo_digests(
       repo TEXT NOT NULL,
       digest TEXT NOT NULL,
       image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
       PRIMARY KEY(repo, digest)
     ) STRICT;
     CREATE INDEX repo_digests_image ON repo_digests(image);
     CREATE TABLE layers(
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       key TEXT NOT NULL UNIQUE,
       diff_id TEXT NOT NULL,
       size INTEGER NOT NULL,
       entries INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE image_layers(
       image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
       position INTEGER NOT NULL,
       layer INTEGER NOT NULL REFERENCES layers(id),
       PRIMARY KEY(image, position)
     ) STRICT;
     CREATE INDEX image_layers_layer ON image_layers(layer);`,
    // A container keeps its layers even when its image is removed by force.
    `CREATE TABLE container_images(
       container TEXT PRIMARY KEY,
       image TEXT NOT NULL
     ) STRICT;
     CREATE INDEX container_images_image ON container_images(image);
     CREATE TABLE container_layers(
       container TEXT NOT NULL REFERENCES container_images(container) ON DELETE CASCADE,
       position INTEGER NOT NULL,
       layer INTEGER NOT NULL REFERENCES layers(id),
       PRIMARY KEY(container, position)
     ) STRICT;
     CREATE INDEX container_layers_layer ON container_layers(layer);`,
    // The archives that layers came from. \`kept\` tells whether the packed bytes are in the content store.
    `CREATE TABLE packed_layers(
       digest TEXT PRIMARY KEY,
       layer INTEGER NOT NULL REFERENCES layers(id) ON DELETE CASCADE,
       packing TEXT NOT NULL,
       size INTEGER NOT NULL,
       kept INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX packed_layers_layer ON packed_layers(layer);`,
    // Manifests as they came, to be recognised at the next pull and sent on bit for bit.
    `CREATE TABLE manifests(
       digest TEXT PRIMARY KEY,
       media_type TEXT NOT NULL,
       body BLOB NOT NULL,
       image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
     ) STRICT;
     CREATE INDEX manifests_image ON manifests(image);`,
    // Bytes of the uncompressed archive; 0 in layers from before this was kept.
    "ALTER TABLE layers ADD COLUMN plain_size INTEGER NOT NULL DEFAULT 0",
    // Whether a layer's files are known to have reached the disk, and the boot in which layers were made last.
    `ALTER TABLE layers ADD COLUMN synced INTEGER NOT NULL DEFAULT 1;
     CREATE TABLE last_boot(id TEXT NOT NULL) STRICT;`,
    // The image that one was committed from. Not a reference: it may have been removed with the machine's power.
    `ALTER TABLE images ADD COLUMN parent TEXT;
     CREATE INDEX images_parent ON images(parent);`,
    // What a layer's files were like when they had reached the disk, but for their contents; null until then.
    "ALTER TABLE layers ADD COLUMN fingerprint TEXT",
  ],
};
