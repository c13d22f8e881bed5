import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { RegistryError } from "./failure.ts";
import { ConnectionError, type HttpAnswer } from "./http.ts";
import type { Repository } from "./repository.ts";

/** Bytes that are sent at a time; also what an interrupted upload loses at most. */
const chunkSize = 8 * 2 ** 20;
const patience = 5;

/** A blob to be sent. */
export interface Blob {
  digest: string;
  size: number;
  read(offset: number, size: number): Readable;
}

export type Uploaded = { how: "present" | "sent" } | { how: "mounted"; from: string };

/** Whether a repository has a blob. */
export async function hasBlob(repository: Repository, digest: string): Promise<boolean> {
  const answer = await repository.ask({ method: "HEAD", path: `blobs/${digest}`, expect: [200, 404] });
  answer.body.resume();
  return answer.status === 200;
}

/**
 * Sends a blob in chunks unless the repository has it or the registry can take it from another of its
 * repositories. An upload that breaks is taken up again where the registry lost it.
 */
export async function upload(
  repository: Repository,
  blob: Blob,
  options: { mountFrom: readonly string[]; onBytes: (current: number) => void },
): Promise<Uploaded> {
  if (await hasBlob(repository, blob.digest)) return { how: "present" };
  for (let failures = 0; ; ) {
    const begun = await begin(repository, blob.digest, options.mountFrom);
    if ("mounted" in begun) return { how: "mounted", from: begun.mounted };
    try {
      await sendAll(repository, blob, begun.location, options.onBytes);
      return { how: "sent" };
    } catch (error) {
      // The registry has forgotten the upload: begin again.
      const forgotten = error instanceof RegistryError && error.httpStatus === 404;
      if (!forgotten || ++failures > patience) throw error;
    }
  }
}

async function begin(
  repository: Repository,
  digest: string,
  mountFrom: readonly string[],
): Promise<{ mounted: string } | { location: URL }> {
  const mounted = await mount(repository, digest, mountFrom);
  if (mounted !== null) return { mounted };
  const answer = await repository.ask({
    method: "POST",
    path: "blobs/uploads/",
    headers: { "Content-Length": "0" },
    expect: [202],
  });
  answer.body.resume();
  return { location: locationOf(answer) };
}

/** Has the registry take a blob from another of its repositories; the one it came from, or null. */
export async function mount(
  repository: Repository,
  digest: string,
  mountFrom: readonly string[],
): Promise<string | null> {
  for (const from of mountFrom) {
    const query = new URLSearchParams({ mount: digest, from });
    const answer = await repository.ask({
      method: "POST",
      path: `blobs/uploads/?${query}`,
      headers: { "Content-Length": "0" },
      // Where mounting is not possible an upload begins, which ends by itself, or the whole is refused.
      expect: [201, 202, 401, 403, 404],
    });
    answer.body.resume();
    if (answer.status === 201) return from;
  }
  return null;
}

function locationOf(answer: HttpAnswer): URL {
  const { location } = answer.headers;
  if (location === undefined || !URL.canParse(location, answer.url)) {
    throw system(`${answer.url.host} does not say where to upload to`);
  }
  return new URL(location, answer.url);
}

async function sendAll(
  repository: Repository,
  blob: Blob,
  start: URL,
  onBytes: (current: number) => void,
): Promise<void> {
  let location = start;
  let offset = 0;
  for (let failures = 0; offset < blob.size; ) {
    try {
      const size = Math.min(chunkSize, blob.size - offset);
      location = await sendChunk(repository, location, { blob, offset, size });
      offset += size;
      failures = 0;
      onBytes(offset);
    } catch (error) {
      const passing =
        error instanceof ConnectionError || (error instanceof RegistryError && error.httpStatus >= 500);
      if (!passing || ++failures > patience) throw error;
      await sleep(100 * 2 ** failures);
      ({ location, offset } = await whereItIs(repository, location));
    }
  }
  const end = new URL(location);
  end.searchParams.set("digest", blob.digest);
  const answer = await repository.ask({
    method: "PUT",
    path: end,
    headers: { "Content-Length": "0", "Content-Type": "application/octet-stream" },
    expect: [201, 204],
  });
  answer.body.resume();
}

async function sendChunk(
  repository: Repository,
  location: URL,
  { blob, offset, size }: { blob: Blob; offset: number; size: number },
): Promise<URL> {
  const answer = await repository.ask({
    method: "PATCH",
    path: location,
    headers: {
      "Content-Type": "application/octet-stream",
      "Content-Length": String(size),
      "Content-Range": `${offset}-${offset + size - 1}`,
    },
    body: () => blob.read(offset, size),
    once: true,
    expect: [202, 204],
  });
  answer.body.resume();
  return locationOf(answer);
}

/** How much of an upload has arrived. */
async function whereItIs(repository: Repository, location: URL): Promise<{ location: URL; offset: number }> {
  const answer = await repository.ask({ method: "GET", path: location, expect: [204] });
  answer.body.resume();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers.range ?? ""))?.[1];
  // Nothing yet is told as 0-0, which could also be one byte; no chunk is so small.
  const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
  return { location: answer.headers.location === undefined ? location : locationOf(answer), offset };
}
