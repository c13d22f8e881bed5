import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { system } from "../lib/errors.ts";

/** A connection that has left HTTP. */
export interface Connection {
  /** Not always the request's own: after an upgrade with a body it holds the rest back until that is read. */
  socket: Duplex;
  /** What the client sent before the connection was taken over. */
  head: Buffer;
  /** The connection itself. */
  wire?: Socket;
}

/**
 * Ends HTTP on a connection and keeps it for a raw stream both ways. A client that asked for an
 * upgrade (`upgrade` is there) is told 101 with `upgradeType`; another gets 200 and the raw stream.
 */
export function takeOver(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Connection | undefined,
  upgradeType: string,
): Connection {
  const { socket } = request;
  if (upgrade !== undefined) {
    response.detachSocket(socket);
    upgrade.socket.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${upgradeType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    return upgrade;
  }
  if (socket.destroyed) throw system("the client has gone");
  response.detachSocket(socket);
  detachParser(socket);
  socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
  return { socket, head: Buffer.alloc(0) };
}

/** Without an upgrade node:http goes on reading the socket for a next request: its listeners have to go. */
function detachParser(socket: Socket): void {
  for (const event of ["data", "end", "close", "drain", "error", "timeout", "resume", "pause"]) {
    socket.removeAllListeners(event);
  }
  socket.setTimeout(0);
}
