import type { Socket } from "node:net";
import type { Attachment } from "../engine/types.ts";
import { drained } from "./context.ts";
import { writeFrame } from "./frames.ts";
import type { Connection } from "./hijack.ts";

/** How long a client may keep its half of a connection open after our half ended. Milliseconds. */
const lingering = 60_000;

/**
 * Joins a client's raw connection and a process's streams until the output ends or the client goes.
 * The client's half-close ends the process's stdin while output goes on; a broken connection
 * detaches. Each side waits for the other: a slow reader slows the writer down.
 */
export async function pump(
  connection: Connection,
  attachment: Attachment,
  options: { stdin: boolean },
): Promise<void> {
  const { socket } = connection;
  socket.on("error", () => attachment.close());
  socket.on("close", () => attachment.close());
  readInput(connection, options.stdin ? attachment : null);
  try {
    for await (const { stream, data } of attachment.output) {
      if (socket.destroyed) break;
      const more = attachment.tty ? socket.write(data) : writeFrame(socket, stream, data);
      if (!more) await drained(socket);
    }
  } finally {
    attachment.close();
    finish(socket);
  }
}

/** Feeds the process one chunk at a time; without an attachment it reads only to notice the end. */
function readInput({ socket, head }: Connection, attachment: Attachment | null): void {
  if (!attachment) {
    socket.resume();
    return;
  }
  const feed = (chunk: Buffer): void => {
    socket.pause();
    attachment.write(chunk).then(
      () => socket.resume(),
      () => {
        // The process closed its stdin: what the client still sends goes nowhere.
        socket.off("data", feed);
        socket.resume();
      },
    );
  };
  socket.on("data", feed);
  socket.on("end", () => attachment.closeStdin());
  if (head.length > 0) feed(head);
}

/** Ends our half and lets the client end its own: closing with unread input would reset the connection. */
export function finish(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  socket.setTimeout(lingering, () => socket.destroy());
}
