import { once } from "node:events";
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { newestApi } from "../lib/api-version.ts";
import { http } from "../lib/http.ts";
import type { Logger } from "../lib/log.ts";
import { Context } from "./context.ts";
import { sendFailure, sendMessage } from "./failure.ts";
import type { Connection } from "./hijack.ts";
import { finish } from "./pump.ts";
import { type Match, Router } from "./router.ts";
import { routes } from "./routes.ts";
import type { Services } from "./services.ts";
import { apiVersion } from "./version.ts";

export interface ApiOptions {
  services: Services;
  log: Logger;
  /** Berth's own version, for the Server header. */
  release: string;
  /** Is told of every request when it comes and when it was answered. */
  onRequest?: () => void;
}

/** Makes the server of node:http or node:https with the settings that the API needs. */
export type MakeServer = (settings: ServerOptions, handler: RequestListener) => Server | TlsServer;

const router = new Router(routes);

/** Docker clients send registry credentials as headers, which may be long. */
const maxHeaderSize = 256 * 1024;

/** How long `close` waits for answers that are being worked on. Milliseconds. */
const patience = 2000;

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

/** The Docker Engine API over HTTP. Its maker makes `http` listen. */
export class ApiServer {
  readonly http: Server | TlsServer;
  readonly #services: Services;
  readonly #log: Logger;
  readonly #onRequest: (() => void) | undefined;
  readonly #identity: Map<string, string>;
  readonly #connections = new Set<Socket>();
  readonly #calls = new Set<Context>();

  constructor(options: ApiOptions, makeServer: MakeServer) {
    this.#services = options.services;
    this.#log = options.log;
    this.#onRequest = options.onRequest;
    this.#identity = new Map([
      ["Api-Version", newestApi],
      ["Docker-Experimental", String(options.services.experimental)],
      ["Ostype", "linux"],
      ["Server", `Berth/${options.release} (linux)`],
    ]);
    this.http = makeServer(serverOptions, (request, response) => void this.#serve(request, response));
    this.http.on("upgrade", this.#upgrade.bind(this));
    this.http.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse, upgrade?: Connection): Promise<void> {
    let context: Context | undefined;
    this.#onRequest?.();
    try {
      const match = findRoute(request);
      if (!match) {
        sendMessage(response, 404, "page not found");
        return;
      }
      response.setHeaders(this.#identity);
      const version = apiVersion(match.version);
      const { name, search } = match;
      context = new Context({ services: this.#services, request, response, version, name, search, upgrade });
      this.#calls.add(context);
      await match.route.handle(context);
    } catch (error) {
      sendFailure(request, response, error, this.#log);
    } finally {
      if (context) this.#calls.delete(context);
      this.#onRequest?.();
    }
  }

  /** An upgrade has no response of its own; errors of its handler are answered in HTTP all the same. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const response = new http.ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.on("finish", () => finish(request.socket));
    socket.on("error", (error) => this.#log.debug("connection lost", { error }));
    void this.#serve(request, response, { socket, head, wire: request.socket });
  }

  /** Stops listening, lets answers be finished that are being worked on, and drops every connection. */
  async close(): Promise<void> {
    const closed = this.http.listening ? once(this.http, "close") : undefined;
    this.http.close();
    for (const until = Date.now() + patience; this.#busy && Date.now() < until; ) await sleep(5);
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  get #busy(): boolean {
    for (const call of this.#calls) if (!call.streaming) return true;
    return false;
  }
}
