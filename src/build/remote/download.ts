import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { utimes } from "node:fs/promises";

import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { sendFollowing } from "../../image/registry/http.ts";
import { invalid } from "../../lib/errors.ts";

/** What a server says of a file beside its content. */
export interface Validators {
  etag?: string;
  lastModified?: string;
}

export interface Download extends Validators {
  /** sha256, in hex. */
  digest: string;
  size: number;
  contentType: string;
}

/**
 * Fetches a file to a path. "unchanged" when the server says that it is still what `known` was of. Its time
 * of change is the server's.
 */
export async function download(
  url: string,
  path: string,
  options: { signal?: AbortSignal; known?: Validators; authorization?: string } = {},
): Promise<Download | "unchanged"> {
  const { signal, known = {}, authorization } = options;
  const answer = await sendFollowing({
    method: "GET",
    url: new URL(url),
    // The bytes as they are, however the server would like to send them.
    headers: {
      "Accept-Encoding": "identity",
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(known.etag ? { "If-None-Match": known.etag } : {}),
      ...(known.lastModified ? { "If-Modified-Since": known.lastModified } : {}),
    },
    signal,
  });
  if (answer.status === 304) {
    answer.body.destroy();
    return "unchanged";
  }
  if (answer.status < 200 || answer.status > 299) {
    answer.body.destroy();
    throw invalid(`failed to GET ${url} with status ${answer.status}`);
  }
  const { etag, "last-modified": lastModified, "content-type": contentType = "" } = answer.headers;
  const hash = createHash("sha256");
  let size = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(answer.body, count, createWriteStream(path, { mode: 0o600 }), { signal });
  const expected = answer.headers["content-length"];
  if (expected !== undefined && Number(expected) !== size)
    throw invalid(`failed to GET ${url}: unexpected EOF`);
  const time = lastModified === undefined ? Number.NaN : Date.parse(lastModified) / 1000;
  const stamp = Number.isNaN(time) ? 0 : time;
  await utimes(path, stamp, stamp);
  return { digest: hash.digest("hex"), size, etag, lastModified, contentType };
}

/** The name that a file has by its address. Throws INVALID_PARAMETER when there is none. */
export function fileNameOf(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    throw invalid(`cannot determine filename from url: ${url}`);
  return name;
}

/** Checks a file against `sha256:<hex>`. Throws INVALID_PARAMETER. */
export function checkDigest(url: string, expected: string, digest: string): void {
  if (expected !== `sha256:${digest}`)
    throw invalid(`digest mismatch for ${url}: expected ${expected}, got sha256:${digest}`);
}

/** A digest of a form that can be checked. Throws INVALID_PARAMETER. */
export function checkedDigest(text: string): string {
  const [, algorithm, value = ""] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  if (algorithm === undefined) throw invalid(`invalid checksum digest format: ${text}`);
  if (algorithm !== "sha256" || value.length !== 64)
    throw invalid(`unsupported checksum: ${text}: must be sha256: and 64 hexadecimal digits`);
  return text;
}
