import type { Socket } from "node:net";
import { net } from "../builtin.ts";
import type { Endpoint } from "./endpoint.ts";

export interface HttpRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer | AsyncIterable<Buffer>;
  /** Ask for the raw connection (attach, exec). */
  upgrade?: boolean;
}

export interface HttpResponse {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  body: AsyncGenerator<Buffer, void, undefined>;
  /** The connection; after an upgrade the caller's to write to. */
  socket: Socket;
}

/** How many header bytes of an answer are read before it is called malformed. */
const maxHead = 256 * 1024;

/**
 * One HTTP/1.1 exchange on a connection of its own. Node's own client costs some 40 ms to load, more
 * than the rest of a short command; this is the part of HTTP that the Engine API uses. Rejects with
 * the system's error (`ENOENT`, `ECONNREFUSED`, `EACCES`…) when there is no connection.
 */
export async function httpRequest(endpoint: Endpoint, request: HttpRequest): Promise<HttpResponse> {
  const socket = await open(endpoint);
  const chunks: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]();
  const head = requestHead(request);
  const { body } = request;
  let sent: Promise<void> = Promise.resolve();
  if (body === undefined) socket.write(head);
  else if (typeof body === "string" || Buffer.isBuffer(body))
    socket.write(Buffer.concat([Buffer.from(head), Buffer.from(body)]));
  else sent = sendChunked(socket, head, body);
  // An answer may come before all is sent (an early refusal); a body that cannot be read fails the request.
  const failed = new Promise<never>((_, reject) => sent.catch(reject));
  failed.catch(() => undefined);
  return await Promise.race([readResponse(request.method, socket, chunks), failed]);
}

async function open(endpoint: Endpoint): Promise<Socket> {
  if (endpoint.kind === "tcp" && endpoint.tls) {
    const { connectTls } = await import("./tls.ts");
    return connectTls(endpoint.hostname, endpoint.port, endpoint.tls);
  }
  const socket =
    endpoint.kind === "unix"
      ? net.connect({ path: endpoint.path, allowHalfOpen: true })
      : net.connect({ host: endpoint.hostname, port: endpoint.port, allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve();
    });
  });
  // Later errors reach the reader through the iterator; a write's error must not end the process.
  socket.on("error", () => undefined);
  return socket;
}

function requestHead({ method, path, headers, body, upgrade }: HttpRequest): string {
  const lines = [`${method} ${path} HTTP/1.1`, "Host: docker", "User-Agent: Berth-Client"];
  for (const [name, value] of Object.entries(headers ?? {})) lines.push(`${name}: ${value}`);
  if (body === undefined) {
    if (method !== "GET" && method !== "HEAD") lines.push("Content-Length: 0");
  } else if (typeof body === "string" || Buffer.isBuffer(body)) {
    lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  } else {
    lines.push("Transfer-Encoding: chunked");
  }
  // No `Connection: close`: a server that refuses a body early would close before the answer is read.
  if (upgrade) lines.push("Connection: Upgrade\r\nUpgrade: tcp");
  return `${lines.join("\r\n")}\r\n\r\n`;
}

async function sendChunked(socket: Socket, head: string, body: AsyncIterable<Buffer>): Promise<void> {
  socket.write(head);
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    if (socket.destroyed || !socket.writable) return;
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    if (!socket.write("\r\n")) await drained(socket);
  }
  socket.write("0\r\n\r\n");
}

/** Waits until a socket takes more, or is closed. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}

async function readResponse(
  method: string,
  socket: Socket,
  chunks: AsyncIterator<Buffer>,
): Promise<HttpResponse> {
  let data: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = data.indexOf("\r\n\r\n");
    if (end >= 0) {
      const { status, headers } = parseHead(data.toString("latin1", 0, end));
      data = data.subarray(end + 4);
      if (status >= 100 && status < 200 && status !== 101) continue;
      const body = readBody(method, status, headers, socket, data, chunks);
      return { status, headers, body, socket };
    }
    if (data.length > maxHead) throw new Error("malformed HTTP response: the headers do not end");
    const next = await chunks.next();
    if (next.done) throw new Error("the daemon closed the connection without an answer");
    data = data.length === 0 ? next.value : Buffer.concat([data, next.value]);
  }
}

function parseHead(text: string): { status: number; headers: Record<string, string> } {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
  if (status === undefined) throw new Error(`malformed HTTP response ${JSON.stringify(first.slice(0, 80))}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(status), headers };
}

async function* readBody(
  method: string,
  status: number,
  headers: Record<string, string>,
  socket: Socket,
  first: Buffer,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  const upgraded = status === 101 || headers["content-type"] === "application/vnd.docker.raw-stream";
  try {
    if (method === "HEAD" || status === 204 || status === 304) return;
    if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
      const { decodeChunked } = await import("./chunked.ts");
      yield* decodeChunked(first, chunks);
      return;
    }
    const length = headers["content-length"];
    let left = length === undefined || upgraded ? Number.POSITIVE_INFINITY : Number(length);
    for (let data = first; left > 0; ) {
      if (data.length > 0) {
        const part = data.subarray(0, left);
        left -= part.length;
        yield part;
        if (left === 0) return;
      }
      const next = await chunks.next();
      if (next.done) {
        if (left !== Number.POSITIVE_INFINITY) throw new Error("unexpected EOF");
        return;
      }
      data = next.value;
    }
  } finally {
    if (!upgraded) socket.destroy();
  }
}
