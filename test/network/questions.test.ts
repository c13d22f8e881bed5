// Strange questions to the name servers of networks, and servers outside that do not help.
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { decode, encode, type Packet } from "dns-packet";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
let gateway = "";
before(async () => {
  daemon = await TestDaemon.start("questions");
  await daemon.ok(["network", "create", "shop"]);
  gateway = await daemon.ok(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "shop"]);
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** The header's code of the reply to a message; undefined when none comes. */
async function codeOf(message: Buffer): Promise<number | undefined> {
  const socket = createSocket("udp4");
  try {
    const reply = once(socket, "message", { signal: AbortSignal.timeout(1000) });
    socket.send(message, 53, gateway);
    const [bytes] = (await reply) as [Buffer];
    assert.equal(bytes.readUInt16BE(0), message.readUInt16BE(0));
    assert.equal(bytes.readUInt8(2) & 0x80, 0x80);
    return bytes.readUInt8(3) & 15;
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

test("what is no question that can be answered is told so, and what is none at all gets nothing", async () => {
  const question = { name: "web", type: "A" } as const;
  const query = encode({ type: "query", id: 77, questions: [question] });
  assert.equal(await codeOf(query), 3);
  assert.equal(await codeOf(encode({ type: "query", id: 78, questions: [] })), 1);
  assert.equal(await codeOf(encode({ type: "query", id: 79, questions: [question, question] })), 1);
  const longLabel = Buffer.concat([
    query.subarray(0, 12),
    Buffer.of(64),
    Buffer.alloc(64, 97),
    Buffer.alloc(5),
  ]);
  assert.equal(await codeOf(longLabel), 1);
  const loop = Buffer.concat([query.subarray(0, 12), Buffer.of(0xc0, 12, 0, 1, 0, 1)]);
  assert.equal(await codeOf(loop), 1);
  const update = Buffer.from(query);
  update.writeUInt8(5 << 3, 2);
  assert.equal(await codeOf(update), 4);
  assert.equal(await codeOf(encode({ type: "response", id: 80, questions: [question] })), undefined);
  assert.equal(await codeOf(Buffer.from("short")), undefined);
});

/** A name server on one of the host's loopback addresses. */
async function serverAt(address: string, reply: (query: Packet) => Partial<Packet>): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const query = decode(bytes);
    const { id, questions } = query;
    socket.send(encode({ type: "response", id, questions, ...reply(query) }), from.port, from.address);
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return socket;
}

test("servers outside that cannot or will not say leave it to the next; what one says counts", async (t) => {
  const unable = { "failing.test": 2, "refused.test": 5, "nowhere.test": 3 } as const;
  const first = await serverAt("127.0.53.1", ({ questions = [] }) => ({
    flags: unable[questions[0]?.name as keyof typeof unable] ?? 0,
  }));
  const second = await serverAt("127.0.53.2", ({ questions = [] }) => ({
    answers: questions.map(({ name }) => ({ name, type: "A", ttl: 9, data: "192.0.2.7" }) as const),
  }));
  t.after(() => {
    first.close();
    second.close();
  });
  const servers = ["--dns", "127.0.53.1", "--dns", "127.0.53.2"];
  const ask = async (name: string, ...flags: string[]): Promise<string> => {
    const look = ["run", "--rm", "--network", "shop", ...flags, "busybox", "nslookup", "-type=a", name];
    const { stdout } = await daemon.docker(look);
    return stdout;
  };
  for (const name of ["failing.test", "refused.test"])
    assert.match(await ask(name, ...servers), /Address: 192\.0\.2\.7/, name);
  assert.match(await ask("nowhere.test", ...servers), /NXDOMAIN/);
  assert.match(await ask("failing.test", "--dns", "127.0.53.1"), /SERVFAIL/);
  // Nobody is at the first.
  assert.match(await ask("web.test", "--dns", "127.0.53.9", "--dns", "127.0.53.2"), /Address: 192\.0\.2\.7/);
});
