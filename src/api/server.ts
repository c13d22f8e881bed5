import { once } from "node:events";
import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  ServerResponse,
} from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BerthError, errorStatus } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Context } from "./context.ts";
import { finish } from "./pump.ts";
import { type Match, Router } from "./router.ts";
import { routes } from "./routes.ts";
import type { Services } from "./services.ts";
import { apiVersion, maxApiVersion } from "./version.ts";

export interface ApiOptions {
  services: Services;
  log: Logger;
  /** Berth's own version, for the Server header. */
  release: string;
}

const router = new Router(routes);

/** Docker clients send registry credentials as headers, which may be long. */
const maxHeaderSize = 256 * 1024;

const serverOptions: ServerOptions = {
  maxHeaderSize,
  requireHostHeader: false,
  // Streams last as long as a container does, and idle connections belong to the client.
  requestTimeout: 0,
  keepAliveTimeout: 0,
  shouldUpgradeCallback: (request) => findRoute(request)?.route.upgrade === true,
};

interface Located extends Match {
  search: string;
}

function findRoute(request: IncomingMessage): Located | null {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const match = router.match(request.method ?? "", mark < 0 ? url : url.slice(0, mark));
  return match && Object.assign(match, { search: mark < 0 ? "" : url.slice(mark + 1) });
}

/** Makes the server of node:http or node:https with the settings that the API needs. */
export type MakeServer = (settings: ServerOptions, handler: RequestListener) => Server | TlsServer;

export interface ApiServer {
  /** The caller makes it listen. */
  http: Server | TlsServer;
  /** Stops listening and drops every connection, those that left HTTP too. */
  close(): Promise<void>;
}

/** Makes a server that answers the Docker Engine API. */
export function createApiServer(options: ApiOptions, makeServer: MakeServer): ApiServer {
  const identity = new Map([
    ["Api-Version", maxApiVersion],
    ["Docker-Experimental", "false"],
    ["Ostype", "linux"],
    ["Server", `Berth/${options.release} (linux)`],
  ]);
  const { services, log } = options;

  const serve = async (request: IncomingMessage, response: ServerResponse, head?: Buffer): Promise<void> => {
    try {
      const match = findRoute(request);
      if (!match) {
        sendMessage(response, 404, "page not found");
        return;
      }
      response.setHeaders(identity);
      const version = apiVersion(match.version);
      const { name, search } = match;
      await match.route.handle(new Context({ services, request, response, version, name, search, head }));
    } catch (error) {
      fail(request, response, error, log);
    }
  };

  const http = makeServer(serverOptions, serve);
  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.on("finish", () => finish(request.socket));
    socket.on("error", (error) => log.debug("connection lost", { error }));
    void serve(request, response, head);
  });

  const connections = new Set<Socket>();
  http.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  const close = async (): Promise<void> => {
    const closed = http.listening ? once(http, "close") : undefined;
    http.close();
    for (const socket of connections) socket.destroy();
    await closed;
  };
  return { http, close };
}

function sendMessage(response: ServerResponse, status: number, message: string): void {
  const text = `${JSON.stringify({ message })}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown, log: Logger): void {
  const status = error instanceof BerthError ? error.status : errorStatus.SYSTEM;
  const message = error instanceof Error ? error.message : String(error);
  if (status >= 500) log.error("request failed", { method: request.method, url: request.url, error });
  else log.debug("request refused", { method: request.method, url: request.url, status, error: message });

  if (response.headersSent || response.destroyed || !response.socket) {
    // Too late for a status: an answer cut short is all that tells the client.
    request.socket.destroy();
    return;
  }
  if (status === errorStatus.NOT_MODIFIED) {
    response.writeHead(status);
    response.end();
    return;
  }
  sendMessage(response, status, message);
  // What remains of a refused body is read and thrown away, so that the client gets to read why; not for ever.
  if (!request.complete) setTimeout(() => request.complete || request.socket.destroy(), 5000).unref();
}
