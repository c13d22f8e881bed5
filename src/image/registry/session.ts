import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, system } from "../../lib/errors.ts";
import type { Credentials } from "../types.ts";
import { Authorizer } from "./auth.ts";
import { registryError } from "./failure.ts";
import type { ApiVersion, Endpoint, RegistryHosts } from "./hosts.ts";
import { ConnectionError, type HttpAnswer, type HttpRequest, sendFollowing } from "./http.ts";

export interface SessionOptions {
  hosts: RegistryHosts;
  domain: string;
  /** What tokens are asked for, such as `repository:library/busybox:pull`. */
  scope: string;
  credentials: Credentials;
  /** Whether the registry's mirrors may answer for it. */
  mirrors: boolean;
  /** `v2` by default. */
  api?: ApiVersion;
  signal?: AbortSignal;
}

/** How often a request that may be repeated is tried, and the longest that is waited on request. Milliseconds. */
const attempts = 4;
const longestWait = 60_000;

export interface Ask {
  method: HttpRequest["method"];
  /** Relative to the API's root, or a whole URL that the registry gave. */
  path: string | URL;
  headers?: Record<string, string>;
  body?: HttpRequest["body"];
  /** Statuses that are answers rather than failures. */
  expect: number[];
  /** Not again after a failure: the request may have had its effect. */
  once?: boolean;
  /** Instead of the session's own. */
  signal?: AbortSignal;
}

/** A conversation with a registry, or with one of its mirrors, in one client's name. */
export class Session {
  readonly #options: SessionOptions;
  readonly #authorizer: Authorizer;
  /** A mirror is another's: it does not learn the registry's credentials. */
  readonly #anonymous = new Authorizer({});
  readonly #api: ApiVersion;
  /** The endpoint that answered; all further requests go there. */
  #endpoint: Endpoint | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#api = options.api ?? "v2";
    this.#authorizer = new Authorizer(options.credentials);
  }

  /** Asks whether the registry is there and lets the client in. */
  async ping(): Promise<void> {
    (await this.ask({ method: "GET", path: "", expect: [200] })).body.resume();
  }

  /** Sends a request with credentials when they are asked for, again after failures that pass. */
  async ask(ask: Ask): Promise<HttpAnswer> {
    if (this.#endpoint) return this.#askPatiently(this.#endpoint, ask);
    const { hosts, domain, mirrors } = this.#options;
    const endpoints = hosts.endpoints(domain, { mirrors, api: this.#api });
    let failure: unknown;
    for (const [index, endpoint] of endpoints.entries()) {
      const last = index === endpoints.length - 1;
      try {
        const answer = await this.#askPatiently(endpoint, ask, { first: true, tries: last ? attempts : 1 });
        hosts.found(endpoint);
        this.#endpoint = endpoint;
        return answer;
      } catch (error) {
        // A mirror that cannot serve is passed over; a host that speaks no TLS is tried without.
        const mayPass = endpoint.mirror ? error instanceof BerthError : isConnection(error);
        if (last || !mayPass) throw preferred(failure, error);
        failure ??= error;
      }
    }
    throw system(`no endpoint for ${domain}`);
  }

  async #askPatiently(
    endpoint: Endpoint,
    ask: Ask,
    { first = false, tries = attempts }: { first?: boolean; tries?: number } = {},
  ): Promise<HttpAnswer> {
    const most = ask.once ? 1 : tries;
    for (let attempt = 1; ; attempt++) {
      let wait = 100 * 4 ** (attempt - 1);
      try {
        const answer = await this.#askOnce(endpoint, ask);
        if (ask.expect.includes(answer.status)) return answer;
        const error = await registryError(answer, `${ask.method} "${answer.url.href}"`);
        // What was asked for too early has had no effect.
        const again = answer.status === 429 ? tries : answer.status >= 500 ? most : 0;
        if (attempt >= again) throw error;
        wait = Math.max(wait, retryAfter(answer));
      } catch (error) {
        // A host that cannot be reached at all is told at once.
        if (first || attempt >= most || !isConnection(error)) throw error;
      }
      await sleep(Math.min(wait, longestWait), undefined, { signal: ask.signal ?? this.#options.signal });
    }
  }

  async #askOnce(endpoint: Endpoint, ask: Ask): Promise<HttpAnswer> {
    const url = ask.path instanceof URL ? ask.path : new URL(`${this.#api}/${ask.path}`, endpoint.base);
    // Credentials are for the registry, not for the stores that it sends uploads to.
    const own = url.host === endpoint.base.host;
    const agent = own ? endpoint.agent : undefined;
    const request = (authorization: string | undefined): HttpRequest => ({
      method: ask.method,
      url,
      headers: { ...ask.headers, ...(authorization && own ? { Authorization: authorization } : {}) },
      body: ask.body,
      agent,
      signal: ask.signal ?? this.#options.signal,
    });
    const authorizer = endpoint.mirror ? this.#anonymous : this.#authorizer;
    const first = await sendFollowing(request(authorizer.known(this.#options.scope)));
    if (first.status !== 401 || !own) return first;
    first.body.resume();
    return sendFollowing(request(await authorizer.answer(first, this.#options.scope)));
  }
}

const isConnection = (error: unknown): boolean => error instanceof ConnectionError;

/** Of two failures the one that tells more: what a registry said rather than that another place was silent. */
function preferred(first: unknown, second: unknown): unknown {
  return isConnection(second) && first !== undefined && !isConnection(first) ? first : second;
}

/** Seconds, or a date (RFC 9110, 10.2.3). In milliseconds. */
function retryAfter(answer: HttpAnswer): number {
  const value = answer.headers["retry-after"];
  if (value === undefined) return 0;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? 0 : Math.max(0, wait);
}
