import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import type { SshAgents } from "../types.ts";

/** A socket on this machine that leads to an agent of the client's. */
export interface AgentSocket {
  path: string;
  close(): void;
}

/** Listens for an agent, in a new directory; undefined when the client has none of this id. */
export async function listenForAgent(
  agents: SshAgents | undefined,
  id: string,
  parent: string,
  { mode = 0o600, uid = 0, gid = 0 }: { mode?: number; uid?: number; gid?: number } = {},
): Promise<AgentSocket | undefined> {
  if (!agents?.has(id)) return undefined;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const agent = agents.connect(id);
    // Both ends show in the other.
    pipeline(socket, agent, () => socket.destroy());
    pipeline(agent, socket, () => agent.destroy());
  });
  const directory = join(parent, randomBytes(8).toString("hex"));
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  // Through a descriptor: an address has room for few bytes.
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(`/proc/self/fd/${fd}/agent`, resolve);
    });
  } finally {
    closeSync(fd);
  }
  const path = join(directory, "agent");
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return {
    path,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
