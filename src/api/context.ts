import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { invalid } from "../lib/errors.ts";
import { readJson } from "./body.ts";
import { type Connection, takeOver } from "./hijack.ts";
import { Query } from "./query.ts";
import type { Services } from "./services.ts";

/** One request and its answer, as a route's handler sees it. */
export class Context {
  readonly services: Services;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The minor number of the client's API version: 43 for v1.43. */
  readonly version: number;
  /** What stood for `{name}` in the route's path. */
  readonly name: string;
  readonly query: Query;
  /** The connection after the request, when the client asked for an upgrade. */
  readonly upgrade: Connection | undefined;
  /** The answer lasts as long as somebody listens: a stop need not wait for it. */
  streaming = false;
  #abort: AbortController | undefined;

  constructor(options: {
    services: Services;
    request: IncomingMessage;
    response: ServerResponse;
    version: number;
    name: string;
    search: string;
    upgrade: Connection | undefined;
  }) {
    this.services = options.services;
    this.request = options.request;
    this.response = options.response;
    this.version = options.version;
    this.name = options.name;
    this.query = new Query(options.search);
    this.upgrade = options.upgrade;
  }

  /** Aborted when the client goes away before the answer is complete. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      const { response } = this;
      // Making the reason of an abort is not cheap: not after every answer.
      response.once("close", () => response.writableFinished || abort.abort());
      if (response.destroyed) abort.abort();
    }
    return this.#abort.signal;
  }

  /** The JSON body, or undefined without one. Its shape is the client's word only. */
  body(): Promise<unknown> {
    return readJson(this.request);
  }

  /** As `body`; throws INVALID_PARAMETER with dockerd's words when there is none. */
  async requiredBody(): Promise<unknown> {
    const body = await this.body();
    if (body === undefined) throw invalid("invalid JSON: got EOF while reading request body");
    return body;
  }

  /** Answers with JSON and, as dockerd, a newline after it. */
  json(status: number, value: unknown): void {
    const text = `${JSON.stringify(value)}\n`;
    this.response.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
    });
    this.response.end(text);
  }

  /** Answers with a status alone. */
  empty(status: number): void {
    if (status === 200) this.response.setHeader("Content-Length", 0);
    this.response.writeHead(status);
    this.response.end();
  }

  /** Sends the headers of a streamed answer now, so that the client knows it has begun. */
  begin(contentType: string): void {
    this.streaming = true;
    this.response.writeHead(200, { "Content-Type": contentType });
    this.response.flushHeaders();
  }

  /** Writes a piece of a streamed answer; resolves when more may be written. */
  async write(chunk: Buffer | string): Promise<void> {
    if (!this.response.write(chunk)) await drained(this.response);
  }

  /**
   * Takes the connection out of HTTP for a raw stream both ways, after telling the client so. What is
   * left of the request's body is thrown away.
   */
  async hijack(multiplexed: boolean): Promise<Connection> {
    this.streaming = true;
    const { request } = this;
    if (!request.complete && request.headers["content-length"] !== undefined) {
      request.resume();
      await once(request, "end");
    }
    const upgradeType =
      multiplexed && this.version >= 42
        ? "application/vnd.docker.multiplexed-stream"
        : "application/vnd.docker.raw-stream";
    return takeOver(request, this.response, this.upgrade, upgradeType);
  }
}

/** Resolves when a stream that refused more takes it again, or is gone. */
export function drained(stream: NodeJS.EventEmitter & { destroyed: boolean }): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
