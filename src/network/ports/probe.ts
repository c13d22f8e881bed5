import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Protocol } from "../types.ts";

/** Whether a port of the host could be bound now: the kernel's own answer, for TCP and UDP. */
export async function canBind(protocol: Protocol, ip: string, port: number): Promise<boolean> {
  if (protocol === "sctp") return false;
  const six = ip.includes(":");
  const socket =
    protocol === "tcp" ? createServer() : createSocket({ type: six ? "udp6" : "udp4", ipv6Only: six });
  try {
    const listening = once(socket, "listening");
    if ("listen" in socket) socket.listen({ host: ip, port, ipv6Only: six, exclusive: true });
    else socket.bind({ address: ip, port, exclusive: true });
    await listening;
    return true;
  } catch {
    // In use, or an address that this host does not have: either way it cannot be had.
    return false;
  } finally {
    socket.on("error", () => undefined);
    socket.close();
  }
}
