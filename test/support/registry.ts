// A registry in this process that can misbehave, by the OCI distribution specification.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ManifestParts, sha256 } from "./images.ts";

interface StoredManifest {
  mediaType: string;
  body: Buffer;
}

/** What a test wants to go wrong: returns true when it has answered itself. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export class TestRegistry {
  readonly blobs = new Map<string, Buffer>();
  /** By repository and tag or digest: "team/app:v1". */
  readonly manifests = new Map<string, StoredManifest>();
  /** Every request, as "GET /v2/…". */
  readonly requests: string[] = [];
  fault: Fault = () => false;
  /** user:password that is asked for. */
  basic = "";
  /** As `basic`, but a token must be fetched with it. */
  bearer = "";
  readonly #uploads = new Map<string, Buffer[]>();
  readonly #server: Server;
  #counter = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<TestRegistry> {
    const registry = new TestRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Puts an image in, as if pushed; returns the manifest's digest. */
  add(name: string, parts: ManifestParts): string {
    for (const [digest, data] of parts.blobs) this.blobs.set(digest, data);
    const body = parts.blobs.get(parts.manifest.digest) ?? Buffer.alloc(0);
    this.addManifest(name, parts.manifest.mediaType, body);
    return parts.manifest.digest;
  }

  addManifest(name: string, mediaType: string, body: Buffer): string {
    const repository = name.slice(0, name.lastIndexOf(":"));
    this.manifests.set(name, { mediaType, body });
    this.manifests.set(`${repository}@${sha256(body)}`, { mediaType, body });
    return sha256(body);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    if (this.fault(request, response)) return;
    const url = new URL(request.url ?? "/", `http://${this.host}`);
    if (url.pathname === "/token") return this.#token(request, response);
    if (!this.#allowed(request, response)) return;
    const [, repository = "", kind = "", rest = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname) ?? [];
    if (url.pathname === "/v2/") response.end("{}");
    else if (kind === "manifests") await this.#manifest(request, response, repository, rest);
    else if (kind === "tags") this.#tags(response, repository);
    else if (rest.startsWith("uploads/")) await this.#upload(request, response, repository, rest, url);
    else if (kind === "blobs") this.#blob(request, response, rest);
    else refuse(response, 404, "UNSUPPORTED");
  }

  #allowed(request: IncomingMessage, response: ServerResponse): boolean {
    const { authorization } = request.headers;
    if (this.basic !== "" && authorization !== `Basic ${btoa(this.basic)}`) {
      response.setHeader("WWW-Authenticate", 'Basic realm="test"');
      refuse(response, 401, "UNAUTHORIZED");
      return false;
    }
    if (this.bearer !== "" && authorization !== "Bearer secret-token") {
      response.setHeader(
        "WWW-Authenticate",
        `Bearer realm="http://${this.host}/token",service="test",scope="x"`,
      );
      refuse(response, 401, "UNAUTHORIZED");
      return false;
    }
    return true;
  }

  #token(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.authorization !== `Basic ${btoa(this.bearer)}`) refuse(response, 401, "UNAUTHORIZED");
    else response.end(JSON.stringify({ token: "secret-token", expires_in: 300 }));
  }

  async #manifest(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    reference: string,
  ): Promise<void> {
    const key = reference.startsWith("sha256:") ? `${repository}@${reference}` : `${repository}:${reference}`;
    if (request.method === "PUT") {
      const body = await readAll(request);
      const mediaType = request.headers["content-type"] ?? "";
      const digest = this.addManifest(
        key.includes("@") ? `${repository}:${reference}` : key,
        mediaType,
        body,
      );
      response.writeHead(201, { "Docker-Content-Digest": digest, Location: request.url });
      response.end();
      return;
    }
    const found = this.manifests.get(key);
    if (!found) return refuse(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    response.writeHead(200, {
      "Content-Type": found.mediaType,
      "Content-Length": found.body.length,
      "Docker-Content-Digest": sha256(found.body),
    });
    response.end(request.method === "HEAD" ? undefined : found.body);
  }

  #tags(response: ServerResponse, repository: string): void {
    const tags = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${repository}:`))
      .map((key) => key.slice(repository.length + 1));
    if (tags.length === 0) refuse(response, 404, "NAME_UNKNOWN");
    else response.end(JSON.stringify({ name: repository, tags }));
  }

  #blob(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const data = this.blobs.get(digest);
    if (!data) {
      refuse(response, 404, "BLOB_UNKNOWN");
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "Content-Length": data.length - from });
    response.end(request.method === "HEAD" ? undefined : data.subarray(from));
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    rest: string,
    url: URL,
  ): Promise<void> {
    const location = (id: string): string => `/v2/${repository}/blobs/uploads/${id}`;
    if (request.method === "POST") {
      const mount = url.searchParams.get("mount") ?? "";
      if (this.blobs.has(mount) && url.searchParams.has("from")) {
        response.writeHead(201, { Location: `/v2/${repository}/blobs/${mount}` });
        response.end();
        return;
      }
      const id = String(this.#counter++);
      this.#uploads.set(id, []);
      response.writeHead(202, { Location: location(id), Range: "0-0" });
      response.end();
      return;
    }
    const id = rest.slice("uploads/".length);
    const parts = this.#uploads.get(id);
    if (!parts) return refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
    if (request.method !== "GET") parts.push(await readAll(request));
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (request.method !== "PUT") {
      response.writeHead(request.method === "GET" ? 204 : 202, {
        Location: location(id),
        Range: `0-${size - 1}`,
      });
      response.end();
      return;
    }
    const data = Buffer.concat(parts);
    const digest = url.searchParams.get("digest") ?? "";
    if (sha256(data) !== digest) return refuse(response, 400, "DIGEST_INVALID");
    this.blobs.set(digest, data);
    this.#uploads.delete(id);
    response.writeHead(201, { Location: `/v2/${repository}/blobs/${digest}` });
    response.end();
  }
}

function refuse(response: ServerResponse, status: number, code: string, message = code.toLowerCase()): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}
