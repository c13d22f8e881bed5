import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Attachment } from "../engine/types.ts";
import { DetachWatcher, defaultDetachKeys } from "../lib/detach-keys.ts";
import { drained } from "./context.ts";
import { writeFrame } from "./frames.ts";
import type { Connection } from "./hijack.ts";

/** How long a client may keep its half of a connection open after our half ended. Milliseconds. */
const lingering = 60_000;

export interface PumpOptions {
  /** Whether what the client sends is the process's stdin. */
  stdin: boolean;
  /** With a tty, the keys that detach; ctrl-p,ctrl-q by default. */
  detachKeys?: readonly number[];
  /** Never multiplex, also without a tty. */
  raw?: boolean;
}

/**
 * Joins a client's raw connection and a process's streams until the output ends or the client goes.
 * The client's half-close ends the process's stdin while output goes on; a broken connection
 * detaches. Each side waits for the other: a slow reader slows the writer down.
 */
export async function pump(
  connection: Connection,
  attachment: Attachment,
  options: PumpOptions,
): Promise<void> {
  const { socket } = connection;
  const raw = attachment.tty || options.raw;
  socket.on("error", () => attachment.close());
  socket.on("close", () => attachment.close());
  if (options.stdin) readInput(connection, attachment, options.detachKeys);
  else socket.resume();
  try {
    for await (const { stream, data } of attachment.output) {
      if (socket.destroyed) break;
      const more = raw ? socket.write(data) : writeFrame(socket, stream, data);
      if (!more) await drained(socket);
    }
  } finally {
    attachment.close();
    finish(socket, connection.wire);
  }
}

/** Feeds the process a chunk at a time, so that it reads no faster than it can take. */
function readInput(
  { socket, head }: Connection,
  attachment: Attachment,
  detachKeys: readonly number[] = defaultDetachKeys,
): void {
  const watcher = attachment.tty ? new DetachWatcher(detachKeys) : null;
  const stop = (): void => {
    socket.off("data", feed);
    socket.resume();
  };
  const feed = (chunk: Buffer): void => {
    const { send, detached } = watcher?.feed(chunk) ?? { send: chunk, detached: false };
    if (send.length > 0) {
      socket.pause();
      // When the process has closed its stdin, what the client still sends goes nowhere.
      attachment.write(send).then(() => socket.resume(), stop);
    }
    if (detached) {
      stop();
      attachment.close();
    }
  };
  socket.on("data", feed);
  socket.on("end", () => attachment.closeStdin());
  if (head.length > 0) feed(head);
  // A client that had nothing to send may have ended before anyone listened.
  if (socket.readableEnded) attachment.closeStdin();
}

/**
 * Ends our half and lets the client end its own: closing with unread input would reset the connection.
 * `wire` is the connection itself, where `socket` stands before it.
 */
export function finish(socket: Duplex, wire: Duplex = socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  if (wire instanceof Socket) wire.setTimeout(lingering, () => wire.destroy());
}
