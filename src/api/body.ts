import type { IncomingMessage } from "node:http";
import { BerthError, invalid } from "../lib/errors.ts";
import { jsonFlaw } from "../lib/json-error.ts";

/** The largest JSON body that is read, in bytes. Archives and images are streams and have no bound here. */
export const maxJsonBody = 4 * 1024 * 1024;

const json = /^application\/json\s*(;|$)/i;

function checkType(request: IncomingMessage): void {
  const type = request.headers["content-type"] ?? "";
  if (type === "" && hasNoBody(request)) return;
  if (!json.test(type)) {
    throw invalid(`Content-Type specified (${type}) must be 'application/json'`);
  }
}

function hasNoBody(request: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return encoding === undefined && (length === undefined || length === "0");
}

function tooLarge(): BerthError {
  return new BerthError("TOO_LARGE", "http: request body too large");
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > maxJsonBody) throw tooLarge();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxJsonBody) reject(tooLarge());
    else chunks.push(chunk);
  });
  request.on("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  request.on("error", reject);
  request.on("close", () => reject(invalid("unexpected EOF")));
  return promise;
}

/**
 * The request's JSON body; undefined when there is none. Throws INVALID_PARAMETER with dockerd's
 * words for a wrong content type or malformed JSON, TOO_LARGE above `maxJsonBody`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  checkType(request);
  if (hasNoBody(request)) return undefined;
  const text = (await readAll(request)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === "") return undefined;
    const flaw = jsonFlaw(text);
    throw invalid(flaw === "" ? "unexpected content after JSON" : `invalid JSON: ${flaw}`, error);
  }
}
