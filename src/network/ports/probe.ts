import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Protocol } from "../types.ts";

const IN_USE = "address already in use";
const reasons: Record<string, string> = {
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

/** Why a port of the host cannot be bound now: the kernel's own answer, for TCP and UDP; undefined when it can. */
export async function bindRefusal(protocol: Protocol, ip: string, port: number): Promise<string | undefined> {
  if (protocol === "sctp") return IN_USE;
  const six = ip.includes(":");
  const socket =
    protocol === "tcp" ? createServer() : createSocket({ type: six ? "udp6" : "udp4", ipv6Only: six });
  try {
    const listening = once(socket, "listening");
    if ("listen" in socket) socket.listen({ host: ip, port, ipv6Only: six, exclusive: true });
    else socket.bind({ address: ip, port, exclusive: true });
    await listening;
    return undefined;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return reasons[code] ?? IN_USE;
  } finally {
    socket.on("error", () => undefined);
    socket.close();
  }
}
