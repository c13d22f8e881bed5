import type { Agent as HttpAgent, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { BerthError, system } from "../../lib/errors.ts";
import { http, https } from "../../lib/http.ts";

/** The largest answer that is read whole, in bytes: manifests, tokens, errors. */
const maxText = 4 * 2 ** 20;

/** A connection or a body on which nothing arrives for so long is given up. Milliseconds. */
const silence = 30_000;

/** An answer that is read whole and has not ended after so long is given up, too. Milliseconds. */
const longest = 300_000;

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: URL;
  headers?: Record<string, string>;
  /** A function makes a stream of its bytes, as often as the request is sent. */
  body?: Buffer | (() => Readable);
  agent?: HttpAgent;
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  /** Must be read to its end or destroyed. */
  body: Readable;
  url: URL;
}

/** A failure below HTTP: no connection, a broken one, silence. May be tried again. */
export class ConnectionError extends BerthError {
  constructor(message: string, cause?: unknown) {
    super("SYSTEM", message, { cause });
    this.name = "ConnectionError";
  }
}

const goName = (method: string): string => method.charAt(0) + method.slice(1).toLowerCase();

/** The failures that people meet most, in the words of Docker. */
function reason(
  error: Error & { code?: string; address?: string; port?: number; hostname?: string },
): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return reason(error.errors[0]);
  if (error.code === "ECONNREFUSED")
    return `dial tcp ${error.address}:${error.port}: connect: connection refused`;
  if (error.code === "ENOTFOUND") return `dial tcp: lookup ${error.hostname}: no such host`;
  return error.message;
}

/** Sends a request and waits for the head of its answer. Rejects with ConnectionError. */
export function send(request: HttpRequest): Promise<HttpAnswer> {
  const { method, url, headers, body, agent, signal } = request;
  const protocol = url.protocol === "https:" ? https() : http;
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const failed = (error: Error): void =>
    reject(
      signal?.aborted
        ? error
        : new ConnectionError(`${goName(method)} "${url.href}": ${reason(error)}`, error),
    );
  const sent = protocol.request(url, {
    method,
    headers: { "User-Agent": "berth", ...headers },
    agent,
    signal,
  });
  sent.setTimeout(silence, () => sent.destroy(new Error("no answer in time")));
  sent.on("error", failed);
  sent.on("response", (message) => {
    message.setTimeout(silence, () => message.destroy(new Error("the connection fell silent")));
    resolve({ status: message.statusCode ?? 0, headers: message.headers, body: message, url });
  });
  if (body === undefined || Buffer.isBuffer(body)) {
    sent.end(body);
  } else {
    const stream = body();
    stream.on("error", (error) => sent.destroy(error));
    sent.on("close", () => stream.destroy());
    stream.pipe(sent);
  }
  return promise;
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);
const maxRedirects = 8;

/** As `send`, following redirects. Credentials go to the first host only. */
export async function sendFollowing(request: HttpRequest): Promise<HttpAnswer> {
  let current = request;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const answer = await send(current);
    const { location } = answer.headers;
    if (!isRedirect(answer.status) || location === undefined) return answer;
    answer.body.destroy();
    if (!URL.canParse(location, current.url))
      throw system(`${current.url.href} redirects to ${location}, which is no URL`);
    const url = new URL(location, current.url);
    if (current.url.protocol === "https:" && url.protocol !== "https:") {
      throw system(`${current.url.href} redirects to ${url.protocol}//, which is not encrypted`);
    }
    if (url.protocol !== "https:" && url.protocol !== "http:")
      throw system(`redirect to ${url.protocol} refused`);
    const sameHost = url.host === current.url.host && url.protocol === current.url.protocol;
    const { Authorization: _, ...others } = current.headers ?? {};
    current = {
      ...current,
      url,
      headers: sameHost ? current.headers : others,
      agent: sameHost ? current.agent : undefined,
    };
  }
  throw system(`Get "${request.url.href}": stopped after ${maxRedirects} redirects`);
}

/** Reads a body of at most `limit` bytes within `time` milliseconds. Rejects when it is larger or takes longer. */
export async function readBody(answer: HttpAnswer, limit = maxText, time = longest): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => answer.body.destroy(new Error("the answer has no end")), time);
  try {
    for await (const part of answer.body) {
      size += part.length;
      if (size > limit) throw system(`${answer.url.href} answered with more than ${limit} bytes`);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof BerthError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConnectionError(`Get "${answer.url.href}": ${reason}`, error);
  } finally {
    clearTimeout(timer);
    answer.body.destroy();
  }
  return Buffer.concat(parts);
}
