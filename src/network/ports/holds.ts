import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Protocol } from "../types.ts";

export const IN_USE = "address already in use";
const refusals: Record<string, string> = {
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

/**
 * Sockets on published ports. No packet comes to them, the rules lead all elsewhere; they keep other programs,
 * another engine of this machine among them, from taking a port that would be dead to them.
 */
export class PortHolds {
  readonly #sockets = new Map<string, Server | Socket>();

  /** Holds a port. Resolves with why it cannot be had, in the kernel's words; undefined when it can. */
  async hold(protocol: "tcp" | "udp", ip: string, port: number): Promise<string | undefined> {
    const key = keyOf(protocol, ip, port);
    if (this.#sockets.has(key)) return undefined;
    const six = ip.includes(":");
    // Who gets here at all came while the rules were gone.
    const socket =
      protocol === "tcp"
        ? createServer((connection) => connection.destroy())
        : createSocket({ type: six ? "udp6" : "udp4", ipv6Only: six });
    this.#sockets.set(key, socket);
    try {
      const listening = once(socket, "listening");
      if ("listen" in socket) socket.listen({ host: ip, port, ipv6Only: six, exclusive: true });
      else socket.bind({ address: ip, port, exclusive: true });
      // The engine decides how long the process lives.
      socket.unref();
      await listening;
      return undefined;
    } catch (error) {
      this.release(protocol, ip, port);
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      return refusals[code] ?? IN_USE;
    }
  }

  release(protocol: Protocol, ip: string, port: number): void {
    const key = keyOf(protocol, ip, port);
    const socket = this.#sockets.get(key);
    if (!socket) return;
    this.#sockets.delete(key);
    end(socket);
  }

  close(): void {
    for (const socket of this.#sockets.values()) end(socket);
    this.#sockets.clear();
  }
}

const keyOf = (protocol: Protocol, ip: string, port: number): string => `${protocol}/${port} ${ip}`;

/** The port is free again when this returns. One that never came to listen tells so by an error. */
function end(socket: Server | Socket): void {
  socket.on("error", () => undefined);
  socket.close();
}
