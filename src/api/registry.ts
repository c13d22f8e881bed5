import type { IncomingMessage } from "node:http";
import type { Credentials } from "../image/index.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import type { Route } from "./router.ts";

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An entry of Docker's kind: username and password, or both in `auth`, or a token. */
export function toCredentials(value: Record<string, unknown>): Credentials {
  const text = (key: string): string | undefined => {
    const item = value[key];
    return typeof item === "string" && item !== "" ? item : undefined;
  };
  const pair = Buffer.from(text("auth") ?? "", "base64").toString("utf8");
  const [, username, password] = /^([^:]*):(.*)$/s.exec(pair) ?? [];
  return {
    username: text("username") ?? username,
    password: text("password") ?? password,
    identityToken: text("identitytoken"),
    registryToken: text("registrytoken"),
  };
}

/** The X-Registry-Auth header: JSON in base64url. What cannot be read means no credentials, as with dockerd. */
export function registryAuth(request: IncomingMessage): Credentials {
  const header = request.headers["x-registry-auth"];
  if (typeof header !== "string" || header === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
  return isRecord(value) ? toCredentials(value) : {};
}

async function login(context: Context): Promise<void> {
  const value = await context.body();
  if (!isRecord(value)) throw invalid("EOF");
  const address = typeof value.serveraddress === "string" ? value.serveraddress : "";
  await context.services.images.login(address, toCredentials(value));
  context.json(200, { IdentityToken: "", Status: "Login Succeeded" });
}

async function search(context: Context): Promise<void> {
  const { query, request, signal } = context;
  const found = await context.services.images.search(query.text("term") ?? "", {
    credentials: registryAuth(request),
    limit: query.integer("limit"),
    filters: query.filters(),
    signal,
  });
  context.json(200, found);
}

async function distribution(context: Context): Promise<void> {
  const { name, request, signal } = context;
  const credentials = registryAuth(request);
  context.json(200, await context.services.images.distribution(name, { credentials, signal }));
}

async function manifest(context: Context): Promise<void> {
  const { name, request, response, signal } = context;
  const credentials = registryAuth(request);
  const { mediaType, digest, body } = await context.services.images.remoteManifest(name, {
    credentials,
    signal,
  });
  response.writeHead(200, {
    "Content-Type": mediaType,
    "Content-Length": body.length,
    "Docker-Content-Digest": digest,
  });
  response.end(body);
}

/** Registries: proving who one is, and looking at what they have. */
export const registryRoutes: Route[] = [
  { method: "POST", path: "/auth", handle: login },
  { method: "GET", path: "/images/search", handle: search },
  { method: "GET", path: "/distribution/{name}/json", handle: distribution },
  { method: "GET", path: "/berth/manifests/{name}", handle: manifest },
];
