import { once } from "node:events";
import { parseDetachKeys } from "../lib/detach-keys.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import { pump } from "./pump.ts";
import type { Route } from "./router.ts";

/** The longest message that is read, in bytes. */
const maxPayload = 1024 * 1024;

/** The process's streams over a WebSocket: binary messages, stdout and stderr as they come. */
async function attach(context: Context): Promise<void> {
  const { query, request, response } = context;
  if (request.headers.upgrade?.toLowerCase() !== "websocket") throw invalid("not a WebSocket request");
  const stdin = query.flag("stdin");
  const keys = query.text("detachKeys");
  const detachKeys = keys === undefined ? undefined : parseDetachKeys(keys);
  const attachment = await context.services.containers.attach(context.name, {
    stdin,
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
  });
  // Loaded at first use: hardly anybody attaches this way.
  const { WebSocketServer, createWebSocketStream } = await import("ws");
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false });
  context.streaming = true;
  response.detachSocket(request.socket);
  const { socket: connection = request.socket, head = Buffer.alloc(0) } = context.upgrade ?? {};
  server.handleUpgrade(request, connection, head, async (client) => {
    const socket = createWebSocketStream(client);
    await pump({ socket, head: Buffer.alloc(0) }, attachment, { stdin, detachKeys, raw: true });
  });
  await once(request.socket, "close");
}

export const websocketRoutes: Route[] = [
  { method: "GET", path: "/containers/{name}/attach/ws", handle: attach, upgrade: true },
];
