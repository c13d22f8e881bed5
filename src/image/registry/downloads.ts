import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { invalid } from "../../lib/errors.ts";
import type { Candidate, LayerWriter } from "../layer-writer.ts";
import type { Layer, LayerStore } from "../layers.ts";
import type { Descriptor } from "../manifest.ts";
import { RegistryError } from "./failure.ts";
import { ConnectionError, sendFollowing } from "./http.ts";
import type { Repository } from "./repository.ts";

/** How often a broken download is taken up again without a byte of progress in between. */
const patience = 5;
const parallel = 3;

export type OnBytes = (current: number) => void;

interface Download {
  candidate: Promise<Candidate>;
  /** Resolves to whether the candidate is still to be had; one user at a time. */
  turn: Promise<boolean>;
  listeners: Set<OnBytes>;
  abort: AbortController;
  users: number;
}

/**
 * Layers on their way in. Pulls that need the same one share it; a few are under way at a time, each
 * unpacked while it arrives.
 */
export class Downloads {
  readonly #layers: LayerStore;
  readonly #active = new Map<string, Download>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(layers: LayerStore) {
    this.#layers = layers;
  }

  /**
   * Begins to fetch a layer, or joins one that is on its way. `adopt` makes it a layer above `below`, and
   * `leave` must be called once the caller needs it no more, adopted or not.
   */
  join(repository: Repository, descriptor: Descriptor, onBytes: OnBytes) {
    const key = descriptor.digest;
    const download = this.#active.get(key) ?? this.#begin(repository, descriptor);
    download.users++;
    download.listeners.add(onBytes);
    const arrived = download.candidate.then((candidate) => candidate.unpacked);
    // Who fails over another layer does not wait for this one.
    arrived.catch(() => undefined);
    return {
      /** Resolves when the layer has arrived and is unpacked. */
      arrived,
      adopt: (below: readonly Layer[]): Promise<Layer | null> => this.#adopt(download, below),
      leave: async (): Promise<void> => {
        download.listeners.delete(onBytes);
        if (--download.users === 0) await this.#end(key, download);
      },
    };
  }

  #begin(repository: Repository, descriptor: Descriptor): Download {
    const abort = new AbortController();
    const listeners = new Set<OnBytes>();
    const report: OnBytes = (current) => {
      for (const listener of listeners) listener(current);
    };
    const candidate = this.#inTurn(abort.signal, async () => {
      const writer = await this.#layers.begin();
      try {
        await fetchLayer(repository, descriptor, writer, report, abort.signal);
      } catch (error) {
        await writer.abort();
        throw error;
      }
      return checked(await writer.finish(), descriptor, this.#layers);
    });
    candidate.catch(() => undefined);
    const download: Download = { candidate, turn: Promise.resolve(true), listeners, abort, users: 0 };
    this.#active.set(descriptor.digest, download);
    return download;
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= parallel) await this.#waitForTurn(signal);
    signal.throwIfAborted();
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #waitForTurn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    signal.addEventListener("abort", () => {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    });
    return promise;
  }

  /** Null when another has adopted the layer in a way that does not serve this stack. */
  async #adopt(download: Download, below: readonly Layer[]): Promise<Layer | null> {
    const candidate = await download.candidate;
    const before = download.turn;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    download.turn = promise;
    const available = await before;
    try {
      return available
        ? await this.#layers.adopt(candidate, below)
        : this.#layers.findAbove(candidate.unpacked.diffId, below);
    } finally {
      resolve(false);
    }
  }

  async #end(key: string, download: Download): Promise<void> {
    if (this.#active.get(key) === download) this.#active.delete(key);
    download.abort.abort();
    const candidate = await download.candidate.catch(() => null);
    if (candidate && (await download.turn)) await this.#layers.discard(candidate);
  }
}

async function checked(candidate: Candidate, descriptor: Descriptor, layers: LayerStore): Promise<Candidate> {
  const { packedDigest } = candidate.unpacked;
  if (packedDigest === descriptor.digest) return candidate;
  await layers.discard(candidate);
  throw invalid(`filesystem layer verification failed for digest ${descriptor.digest}: got ${packedDigest}`);
}

/** Fetches a blob into a writer, taking up again where a broken connection left off. */
async function fetchLayer(
  repository: Repository,
  descriptor: Descriptor,
  writer: LayerWriter,
  report: OnBytes,
  signal: AbortSignal,
): Promise<void> {
  let received = 0;
  for (let failures = 0; ; ) {
    const before = received;
    try {
      const { body, skip } = await openBlob(repository, descriptor, received, signal);
      const stop = (): void => void body.destroy(new Error("aborted"));
      signal.addEventListener("abort", stop, { once: true });
      try {
        let toSkip = skip;
        for await (const part of arriving(body, descriptor.digest)) {
          const chunk: Buffer = toSkip > 0 ? part.subarray(toSkip) : part;
          toSkip = Math.max(0, toSkip - part.length);
          received += chunk.length;
          if (received > descriptor.size)
            throw invalid(`${descriptor.digest} is larger than its manifest says`);
          // The writer says why it takes no more when it is asked to finish.
          if (chunk.length > 0 && !(await writer.write(chunk))) return;
          report(received);
        }
      } finally {
        signal.removeEventListener("abort", stop);
        body.destroy();
      }
      if (received === descriptor.size) return;
      throw new ConnectionError(`${descriptor.digest} ended after ${received} of ${descriptor.size} bytes`);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConnectionError)) throw error;
      failures = received > before ? 1 : failures + 1;
      if (failures > patience) throw error;
      await sleep(100 * 2 ** failures, undefined, { signal });
    }
  }
}

/** A body whose failures are told apart from those of what is done with it. */
async function* arriving(body: Readable, digest: string): AsyncGenerator<Buffer> {
  try {
    for await (const part of body) yield part;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConnectionError(`the connection broke while ${digest} was fetched: ${reason}`, error);
  }
}

/** Layers that may not be distributed are at addresses of their own. */
async function openBlob(
  repository: Repository,
  descriptor: Descriptor,
  offset: number,
  signal: AbortSignal,
): Promise<{ body: Readable; skip: number }> {
  try {
    return await repository.blob(descriptor.digest, offset, signal);
  } catch (error) {
    const elsewhere = descriptor.urls.find((url) => URL.canParse(url) && /^https?:/.test(url));
    if (!(error instanceof RegistryError && error.httpStatus === 404) || elsewhere === undefined) throw error;
    const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const answer = await sendFollowing({ method: "GET", url: new URL(elsewhere), headers, signal });
    if (answer.status !== 200 && answer.status !== 206) {
      answer.body.destroy();
      throw error;
    }
    return { body: answer.body, skip: answer.status === 206 ? 0 : offset };
  }
}
