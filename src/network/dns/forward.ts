import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";

const PORT = 53;
const ATTEMPT_MS = 2000;

const SERVFAIL = 2;
const REFUSED = 5;

/**
 * Asks servers one after the other and resolves with the first answer, under the question's own number;
 * null when none answers. One that could not or would not say leaves it to the next.
 */
export async function forward(
  query: Buffer,
  servers: readonly string[],
  overTcp: boolean,
): Promise<Buffer | null> {
  let last: Buffer | null = null;
  for (const server of servers) {
    const answer = await (overTcp ? askByTcp(query, server) : askByUdp(query, server));
    if (answer && ![SERVFAIL, REFUSED].includes(codeOf(answer))) return answer;
    last = answer ?? last;
  }
  return last;
}

const codeOf = (answer: Buffer): number => (answer.length < 4 ? SERVFAIL : answer.readUInt8(3) & 0x0f);

function askByUdp(query: Buffer, server: string): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
    // A number and a port that cannot be guessed, whatever the container chose.
    const number = randomInt(0x1_0000);
    const sent = Buffer.from(query);
    sent.writeUInt16BE(number, 0);
    const end = (answer: Buffer | null): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on("error", () => undefined);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), ATTEMPT_MS);
    socket.on("error", () => end(null));
    socket.on("message", (answer) => {
      if (answer.length < 12 || answer.readUInt16BE(0) !== number) return;
      query.copy(answer, 0, 0, 2);
      end(answer);
    });
    // Connected: only that server's answers arrive. Without a callback, which would be called for errors as well.
    socket.on("connect", () => socket.send(sent));
    socket.connect(PORT, server);
  });
}

function askByTcp(query: Buffer, server: string): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: server, port: PORT, timeout: ATTEMPT_MS });
    let received = Buffer.alloc(0);
    const end = (answer: Buffer | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("error", () => end(null));
    socket.on("timeout", () => end(null));
    socket.on("close", () => resolve(null));
    socket.on("connect", () => socket.write(framed(query)));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const size = received.readUInt16BE(0);
      if (received.length >= size + 2) end(received.subarray(2, size + 2));
    });
  });
}

/** A message as TCP carries it: its length before it (RFC 1035, 4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
