import type { Readable } from "node:stream";
import { invalid, system } from "../../lib/errors.ts";
import { maxDocument, sha256 } from "../document.ts";
import { maxManifest } from "../manifest.ts";
import { media } from "../media.ts";
import type { StoredManifest } from "../records.ts";
import type { Credentials } from "../types.ts";
import type { RegistryHosts } from "./hosts.ts";
import { type HttpAnswer, readBody } from "./http.ts";
import { type Ask, Session } from "./session.ts";

export interface RepositoryOptions {
  hosts: RegistryHosts;
  domain: string;
  path: string;
  credentials: Credentials;
  /** Pushing goes to the registry itself, pulling to its mirrors first. */
  access: "pull" | "push";
  /** Other repositories that blobs may be mounted from. */
  mountFrom?: string[];
  signal?: AbortSignal;
}

const manifestTypes = [...media.manifest, ...media.index].join(", ");

export interface FetchedManifest {
  digest: string;
  mediaType: string;
  body: Buffer;
}

/**
 * One repository of a registry, by the OCI distribution specification:
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
export class Repository {
  readonly #session: Session;
  readonly #path: string;

  constructor(options: RepositoryOptions) {
    const { hosts, domain, path, credentials, access, mountFrom = [], signal } = options;
    const actions = access === "push" ? "pull,push" : "pull";
    const others = mountFrom.map((from) => `repository:${from}:pull`);
    const scope = [`repository:${path}:${actions}`, ...others].join(" ");
    this.#path = path;
    this.#session = new Session({ hosts, domain, scope, credentials, mirrors: access === "pull", signal });
  }

  /** As `Session.ask`, with a path relative to the repository. */
  ask(ask: Ask): Promise<HttpAnswer> {
    const { path } = ask;
    return this.#session.ask({ ...ask, path: path instanceof URL ? path : `${this.#path}/${path}` });
  }

  /**
   * A manifest or index by tag or digest. Rejects with NOT_FOUND when there is none, and when its bytes
   * are not what the digest says.
   */
  async manifest(reference: string): Promise<FetchedManifest> {
    const answer = await this.ask({
      method: "GET",
      path: `manifests/${reference}`,
      headers: { Accept: manifestTypes },
      expect: [200],
    });
    const body = await readBody(answer, maxManifest);
    const digest = sha256(body);
    const claimed = reference.startsWith("sha256:") ? reference : answer.headers["docker-content-digest"];
    if (typeof claimed === "string" && claimed.startsWith("sha256:") && claimed !== digest) {
      throw invalid(`manifest verification failed for digest ${claimed}`);
    }
    return { digest, mediaType: (answer.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "", body };
  }

  /** A small blob, such as an image's configuration, whole. Rejects when it is not what its digest says. */
  async document(digest: string): Promise<Buffer> {
    const answer = await this.ask({ method: "GET", path: `blobs/${digest}`, expect: [200] });
    const bytes = await readBody(answer, maxDocument);
    const actual = sha256(bytes);
    if (actual !== digest)
      throw invalid(`image config verification failed for digest ${digest}: got ${actual}`);
    return bytes;
  }

  /** Names a manifest by a tag; resolves with its digest. */
  async putManifest(tag: string, manifest: StoredManifest): Promise<string> {
    const answer = await this.ask({
      method: "PUT",
      path: `manifests/${tag}`,
      headers: { "Content-Type": manifest.mediaType, "Content-Length": String(manifest.body.length) },
      body: manifest.body,
      expect: [201],
    });
    answer.body.resume();
    return manifest.digest;
  }

  /** A blob from `offset` on. When the registry cannot begin in the middle, the beginning is skipped. */
  async blob(digest: string, offset = 0, signal?: AbortSignal): Promise<{ body: Readable; skip: number }> {
    const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const answer = await this.ask({
      method: "GET",
      path: `blobs/${digest}`,
      headers,
      expect: [200, 206],
      signal,
    });
    return { body: answer.body, skip: answer.status === 206 ? 0 : offset };
  }

  /** All tags, page by page. */
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    let path: string | URL = "tags/list?n=1000";
    for (let page = 0; page < 1000; page++) {
      const answer: HttpAnswer = await this.ask({ method: "GET", path, expect: [200] });
      const value: unknown = JSON.parse((await readBody(answer)).toString("utf8"));
      if (typeof value === "object" && value !== null && "tags" in value && Array.isArray(value.tags)) {
        tags.push(...value.tags.filter((tag) => typeof tag === "string"));
      }
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers.link ?? ""))?.[1];
      if (next === undefined) return tags;
      path = new URL(next, answer.url);
    }
    throw system("the list of tags has no end");
  }
}
