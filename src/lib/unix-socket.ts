import { closeSync, constants, openSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { basename, dirname } from "node:path";

/** A socket address has room for this many bytes. */
const addressLimit = 107;

/** connect(2) also where the path is longer than a socket address: through a descriptor of its directory. */
export function connectSocket(path: string): Socket {
  if (Buffer.byteLength(path) <= addressLimit) return createConnection(path);
  const fd = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  const socket = createConnection(`/proc/self/fd/${fd}/${basename(path)}`);
  closeSync(fd);
  return socket;
}
