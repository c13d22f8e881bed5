import { newestApi } from "../../lib/api-version.ts";
import { ApiError, CliError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { type HttpRequest, type HttpResponse, httpRequest } from "./http.ts";

/** Query parameters; those that are undefined are left out. */
export type Query = Record<string, string | number | boolean | readonly string[] | undefined>;

export interface ApiRequest {
  query?: Query;
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is a Buffer or a stream, which are sent as they are. */
  body?: unknown;
  upgrade?: boolean;
}

/** What the client tells of itself in `version` and errors. */
export interface ClientOptions {
  /** The host as given, for messages. */
  host: string;
  endpoint: Endpoint;
  /** From `DOCKER_API_VERSION`: no negotiation. */
  fixedVersion?: string;
  /** Called once when nothing listens; resolves to true when something does now. */
  startDaemon?: () => Promise<boolean>;
}

/** A client of the Docker Engine API. The version is negotiated before the first request. */
export class Client {
  readonly host: string;
  readonly #endpoint: Endpoint;
  #version: string | undefined;
  #startDaemon: (() => Promise<boolean>) | undefined;
  #osType = "";

  constructor({ host, endpoint, fixedVersion, startDaemon }: ClientOptions) {
    this.host = host;
    this.#endpoint = endpoint;
    this.#version = fixedVersion;
    this.#startDaemon = startDaemon;
  }

  /** The version in use: the newest until negotiated. */
  get version(): string {
    return this.#version ?? newestApi;
  }

  /** The server's operating system, known after the first request. */
  get osType(): string {
    return this.#osType;
  }

  /** Never start a daemon from this client. */
  withoutStarting(): this {
    this.#startDaemon = undefined;
    return this;
  }

  /** Negotiates the version: the newest both sides speak. */
  async negotiate(): Promise<string> {
    if (this.#version !== undefined) return this.#version;
    const { headers } = await this.#send({ method: "HEAD", path: "/_ping" });
    const offered = headers["api-version"] || "1.24";
    this.#osType = headers.ostype ?? "";
    this.#version = isOlder(offered, newestApi) ? offered : newestApi;
    return this.#version;
  }

  /** Sends a request to `/vX.Y<path>`; rejects with `ApiError` for a status of 400 and more. */
  async request(method: string, path: string, request: ApiRequest = {}): Promise<HttpResponse> {
    const version = await this.negotiate();
    const headers = { ...request.headers };
    const raw = request.body;
    let body: HttpRequest["body"];
    if (raw !== undefined) {
      if (Buffer.isBuffer(raw) || isStream(raw)) {
        body = raw;
        headers["Content-Type"] ??= "application/x-tar";
      } else {
        body = JSON.stringify(raw);
        headers["Content-Type"] = "application/json";
      }
    }
    const response = await this.#send({
      method,
      path: `/v${version}${path}${queryString(request.query)}`,
      headers,
      body,
      upgrade: request.upgrade,
    });
    if (response.status >= 400) throw new ApiError(response.status, await errorText(response, path, version));
    return response;
  }

  /** A request whose answer is one JSON value. */
  async json<T>(method: string, path: string, request: ApiRequest = {}): Promise<T> {
    const { body } = await this.request(method, path, request);
    return JSON.parse(await text(body)) as T;
  }

  /** A request whose answer has nothing to say; resolves to the status. */
  async call(method: string, path: string, request: ApiRequest = {}): Promise<number> {
    const { status, body } = await this.request(method, path, request);
    await text(body);
    return status;
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await httpRequest(this.#endpoint, request);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const start = this.#startDaemon;
      this.#startDaemon = undefined;
      if ((code === "ENOENT" || code === "ECONNREFUSED") && start && (await start()))
        return await httpRequest(this.#endpoint, request).catch((again) => {
          throw connectionError(this.host, again);
        });
      throw connectionError(this.host, error);
    }
  }
}

/** Whether API version `a` is older than `b`. */
export function isOlder(a: string, b: string): boolean {
  const [aMajor = 0, aMinor = 0] = a.split(".").map(Number);
  const [bMajor = 0, bMinor = 0] = b.split(".").map(Number);
  return aMajor !== bMajor ? aMajor < bMajor : aMinor < bMinor;
}

/** The whole of a body as text. */
export async function text(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  return (parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)).toString();
}

function isStream(value: unknown): value is AsyncIterable<Buffer> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function queryString(query: Query = {}): string {
  const pairs: string[] = [];
  for (const key of Object.keys(query).sort()) {
    const value = query[key];
    if (value === undefined) continue;
    for (const item of typeof value === "object" ? value : [value])
      pairs.push(`${encodeURIComponent(key)}=${encodeURIComponent(String(item))}`);
  }
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

async function errorText(response: HttpResponse, path: string, version: string): Promise<string> {
  const body = (await text(response.body)).trim();
  if (response.headers["content-type"]?.startsWith("application/json")) {
    try {
      const { message } = JSON.parse(body) as { message?: string };
      if (message) return message.trim();
    } catch {
      return body;
    }
  }
  return (
    body ||
    `request returned status ${response.status} for API route and version ${path} (v${version}), check if the server supports the requested API version`
  );
}

function connectionError(host: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EACCES")
    return new CliError(
      `permission denied while trying to connect to the daemon socket at ${host}: run as root, or as a user who may read and write the socket`,
    );
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR")
    return new CliError(`Cannot connect to the daemon at ${host}. Is the daemon running?`);
  return error;
}
