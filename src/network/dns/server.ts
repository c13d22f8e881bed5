import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { decode, encode, type Packet } from "dns-packet";
import { answer, type Names, nameError } from "./answer.ts";
import { forward, framed } from "./forward.ts";

const PORT = 53;
/** What a client without EDNS takes (RFC 1035, 4.2.1); it asks again by TCP for more. */
const UDP_MOST = 512;
const TRUNCATED = 0x0200;
const FORMERR = 1;
const SERVFAIL = 2;
const NOTIMP = 4;
/** Every message begins with so many bytes. */
const HEADER = 12;
/** Questions that wait for servers outside; more are refused. */
const MOST_FORWARDED = 1024;
/** For many questions at once; the kernel gives what it allows (net.core.rmem_max). */
const RECEIVE_BUFFER = 4 << 20;
const IDLE_MS = 10_000;

/** A name server on one address, by UDP and TCP. */
export class NameServer {
  readonly #names: Names;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #clients = new Set<Socket>();
  #forwarded = 0;

  private constructor(names: Names, address: string) {
    this.#names = names;
    this.#udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    this.#udp.on("message", (query, from) => {
      void this.#serve(query, from.address, false).then((reply) => {
        if (reply) this.#udp.send(limited(reply, query), from.port, from.address);
      });
    });
    this.#tcp = createServer((client) => this.#serveStream(client));
  }

  /** Listens on port 53 of an address of the host. Throws what bind(2) says. */
  static async listen(names: Names, address: string): Promise<NameServer> {
    const server = new NameServer(names, address);
    try {
      const bound = Promise.all([once(server.#udp, "listening"), once(server.#tcp, "listening")]);
      server.#udp.bind(PORT, address);
      server.#tcp.listen(PORT, address);
      await bound;
      server.#udp.setRecvBufferSize(RECEIVE_BUFFER);
    } catch (error) {
      server.close();
      throw error;
    }
    // The engine decides how long the process lives.
    server.#udp.unref();
    server.#tcp.unref();
    return server;
  }

  close(): void {
    this.#udp.removeAllListeners("message");
    this.#udp.on("error", () => undefined);
    this.#tcp.on("error", () => undefined);
    this.#udp.close();
    this.#tcp.close();
    for (const client of this.#clients) client.destroy();
  }

  #serveStream(client: Socket): void {
    this.#clients.add(client);
    client.on("close", () => this.#clients.delete(client));
    client.on("error", () => client.destroy());
    client.setTimeout(IDLE_MS, () => client.destroy());
    let received = Buffer.alloc(0);
    client.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const end = received.readUInt16BE(0) + 2;
        const query = Buffer.from(received.subarray(2, end));
        received = received.subarray(end);
        void this.#serve(query, client.remoteAddress ?? "", true).then((reply) => {
          if (reply && !client.destroyed) client.write(framed(reply));
        });
      }
    });
  }

  /** The reply to a query; null for what is none. */
  async #serve(bytes: Buffer, client: string, overTcp: boolean): Promise<Buffer | null> {
    // A reply to a reply would be answered in turn.
    if (bytes.length < HEADER || bytes.readUInt8(2) & 0x80) return null;
    if (bytes.readUInt8(2) & 0x78) return refusal(bytes, NOTIMP);
    let query: Packet;
    try {
      query = decode(bytes);
    } catch {
      return refusal(bytes, FORMERR);
    }
    if (query.questions?.length !== 1) return refusal(bytes, FORMERR);
    const own = answer(this.#names, client, query);
    if (own) return encode(own);
    const servers = this.#names.upstream(client);
    if (servers.length === 0) return encode(nameError(query));
    if (this.#forwarded >= MOST_FORWARDED) return failure(bytes);
    this.#forwarded++;
    try {
      return (await forward(bytes, servers, overTcp)) ?? failure(bytes);
    } finally {
      this.#forwarded--;
    }
  }
}

/** A reply that has nothing of the query but its number and what it asked for. */
function refusal(query: Buffer, code: number): Buffer {
  const reply = Buffer.alloc(HEADER);
  query.copy(reply, 0, 0, 2);
  reply.writeUInt16BE(0x8000 | (query.readUInt16BE(2) & 0x7900) | code, 2);
  return reply;
}

/** The query again, as a reply that says that the servers failed. */
function failure(query: Buffer): Buffer {
  const reply = Buffer.from(query);
  reply.writeUInt16BE(((reply.readUInt16BE(2) | 0x8080) & 0xfff0) | SERVFAIL, 2);
  return reply;
}

/** As much of a reply as UDP carries, marked when that is not all; what the client said of larger ones counts. */
function limited(reply: Buffer, query: Buffer): Buffer {
  if (reply.length <= UDP_MOST) return reply;
  const extra = decode(query).additionals?.find(({ type }) => type === "OPT");
  const most = extra && "udpPayloadSize" in extra ? Math.max(UDP_MOST, extra.udpPayloadSize) : UDP_MOST;
  if (reply.length <= most) return reply;
  const whole = decode(reply);
  const part = (count: number): Buffer =>
    encode({
      ...whole,
      flags: (whole.flags ?? 0) | TRUNCATED,
      answers: whole.answers?.slice(0, count) ?? [],
      additionals: [],
      authorities: [],
    });
  // Not all clients ask again by TCP: some addresses are better than none.
  const empty = part(0);
  const each = (reply.length - empty.length) / Math.max(1, whole.answers?.length ?? 0);
  for (let count = Math.floor((most - empty.length) / each); count > 0; count--) {
    const fitting = part(count);
    if (fitting.length <= most) return fitting;
  }
  return empty;
}
