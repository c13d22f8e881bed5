import { once } from "node:events";
import { invalid } from "../lib/errors.ts";
import { openAttachment } from "./attachment.ts";
import type { Context } from "./context.ts";
import { pump } from "./pump.ts";
import type { Route } from "./router.ts";

/** The longest message that is read, in bytes. */
const maxPayload = 1024 * 1024;

/** The process's streams over a WebSocket: binary messages, stdout and stderr as they come. */
async function attach(context: Context): Promise<void> {
  const { request, response } = context;
  if (request.headers.upgrade?.toLowerCase() !== "websocket") throw invalid("not a WebSocket request");
  const { attachment, stdin, detachKeys } = await openAttachment(context);
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
