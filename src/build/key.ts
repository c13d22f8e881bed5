import { createHash } from "node:crypto";

/** The digest of values, the same for the same JSON. Raised when what steps do changes. */
const edition = 1;

export const keyOf = (...parts: unknown[]): string =>
  createHash("sha256")
    .update(JSON.stringify([edition, ...parts]))
    .digest("hex");
