import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { BerthError, errorStatus } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

/** How long the rest of a refused request's body is read and thrown away. Milliseconds. */
const draining = 30_000;

/** Answers with Docker's form of an error. */
export function sendMessage(response: ServerResponse, status: number, message: string): void {
  const text = `${JSON.stringify({ message })}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers a request whose handler threw: with the status of a BerthError, else 500. */
export function sendFailure(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  log: Logger,
): void {
  // A connection that was taken over or is gone leaves no socket, whatever the type says.
  // A request that was given up in the middle of its body has none while its answer still has.
  const socket: Socket | null = response.socket ?? request.socket;
  const gone = socket?.destroyed ?? true;
  const status = error instanceof BerthError ? error.status : errorStatus.SYSTEM;
  const message = error instanceof Error ? error.message : String(error);
  const fields = { method: request.method, url: request.url, status, error };
  if (status >= 500 && !gone) log.error("request failed", fields);
  else log.debug("request refused", { ...fields, error: message });

  if (gone) return;
  if (response.headersSent || !response.socket) {
    // Too late for a status: an answer cut short is all that tells the client.
    socket?.destroy();
    return;
  }
  if (status === errorStatus.NOT_MODIFIED) {
    response.writeHead(status);
    response.end();
    return;
  }
  // Closing at once would keep the client, which still sends, from reading why.
  if (!request.complete && !response.shouldKeepAlive) {
    response.shouldKeepAlive = true;
    request.once("end", () => socket?.end());
  }
  sendMessage(response, status, message);
  if (!request.complete) setTimeout(() => request.complete || socket?.destroy(), draining).unref();
}
