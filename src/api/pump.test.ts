import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { Attachment } from "../engine/types.ts";
import { notFound } from "../lib/errors.ts";
import { frame } from "./frames.ts";
import { type FakeAttachment, fakeAttachment, fakeServices, serveForTest } from "./services.fake.ts";

const attaching = (attachment: Attachment) =>
  fakeServices({ containers: { attach: async () => attachment } });

/** Speaks raw HTTP, as Docker's clients do before a stream. */
class Client {
  readonly socket: Socket;
  readonly ended: Promise<unknown>;
  received = Buffer.alloc(0);

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on("data", (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
    });
    this.ended = once(this.socket, "end");
  }

  async until(found: (text: string) => boolean): Promise<void> {
    while (!found(this.received.toString("latin1"))) await once(this.socket, "data");
  }

  /** What came after the answer's headers. */
  get stream(): Buffer {
    return this.received.subarray(this.received.indexOf("\r\n\r\n") + 4);
  }
}

const upgrade = (path: string, body = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

async function life(client: Client, attachment: FakeAttachment): Promise<void> {
  await client.until((text) => text.includes("\r\n\r\n"));
  attachment.emit("stdout", "one\n");
  attachment.emit("stderr", "two\n");
  client.socket.write("typed");
  client.socket.end();
  await attachment.stdinClosed;
  assert.equal(Buffer.concat(attachment.input).toString(), "typed");
  // The client's half has ended; output goes on.
  attachment.emit("stdout", "three\n");
  attachment.end();
  await client.ended;
}

test("attach upgrades to a multiplexed stream with half-close", async () => {
  const attachment = fakeAttachment();
  await using server = await serveForTest(attaching(attachment));
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/v1.43/containers/a/attach?stream=1&stdin=1&stdout=1&stderr=1"));
  await life(client, attachment);
  const text = client.received.toString("latin1");
  assert.match(text, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(text, /Content-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
  assert.match(text, /Connection: Upgrade\r\nUpgrade: tcp\r\n/);
  const frames = [
    frame("stdout", Buffer.from("one\n")),
    frame("stderr", Buffer.from("two\n")),
    frame("stdout", Buffer.from("three\n")),
  ];
  assert.deepEqual(client.stream, Buffer.concat(frames));
  await attachment.closed;
});

test("attach without an upgrade answers 200 and hands the connection over too", async () => {
  const attachment = fakeAttachment(true);
  await using server = await serveForTest(attaching(attachment));
  const client = new Client(server.socketPath);
  client.socket.write("POST /containers/a/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n");
  client.socket.write("Content-Length: 5\r\n\r\n");
  // Some clients send the query again as a body, maybe later than the headers.
  setTimeout(() => client.socket.write('{"a"}'), 20);
  await life(client, attachment);
  assert.match(client.received.toString("latin1"), /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd/);
  assert.equal(client.stream.toString(), "one\ntwo\nthree\n");
});

test("a client that goes away detaches", async () => {
  const attachment = fakeAttachment();
  await using server = await serveForTest(attaching(attachment));
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/containers/a/attach?stream=1&stdout=1"));
  await client.until((text) => text.includes("\r\n\r\n"));
  client.socket.destroy();
  attachment.emit("stdout", "x");
  attachment.emit("stdout", "y");
  await attachment.closed;
});

test("an attach that fails is answered in HTTP", async () => {
  const attach = () => Promise.reject(notFound("No such container: a"));
  await using server = await serveForTest(fakeServices({ containers: { attach } }));
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/containers/a/attach?stream=1"));
  await client.ended;
  assert.match(client.received.toString(), /^HTTP\/1\.1 404 Not Found\r\n/);
  assert.equal(client.stream.toString(), '{"message":"No such container: a"}\n');
});

test("a slow reader slows the process down", async () => {
  const attachment = fakeAttachment(true);
  await using server = await serveForTest(attaching(attachment));
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/containers/a/attach?stream=1&stdout=1"));
  await client.until((text) => text.includes("\r\n\r\n"));
  client.socket.pause();
  let taken = 0;
  const big = Buffer.alloc(1 << 16, 97);
  for (let i = 0; i < 60; i++) void attachment.emit("stdout", big.toString()).then(() => taken++);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(taken < 60);
  attachment.end();
  client.socket.resume();
  await client.ended;
  assert.equal(client.stream.length, 60 * big.length);
});

test("exec start reads its body, opens the stream and tells failures on it", async () => {
  const attachment = fakeAttachment();
  const services = fakeServices({
    execs: {
      inspect: async (id) => {
        if (id === "gone") throw notFound("No such exec instance: gone");
        return { ID: id, OpenStdin: true };
      },
      start: async (id, options) => {
        assert.equal(options?.consoleSize, undefined, "without a tty there is no console");
        if (id === "bad") throw new Error("no such command");
        return attachment;
      },
    },
  });
  await using server = await serveForTest(services);
  const body = '{"Detach":false,"Tty":false,"ConsoleSize":[24,80]}';
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/v1.41/exec/good/start", body));
  await life(client, attachment);
  assert.match(client.received.toString("latin1"), /raw-stream/);

  const bad = new Client(server.socketPath);
  bad.socket.write(upgrade("/exec/bad/start", body));
  await bad.ended;
  assert.match(bad.received.toString("latin1"), /^HTTP\/1\.1 101 /);
  assert.deepEqual(bad.stream, frame("stdout", Buffer.from("no such command\r\n")));

  const gone = new Client(server.socketPath);
  gone.socket.write(upgrade("/exec/gone/start", body));
  await gone.ended;
  assert.match(gone.received.toString("latin1"), /^HTTP\/1\.1 404 /);
});

test("with a tty the detach keys detach, before them nothing is lost", async () => {
  const attachment = fakeAttachment(true);
  await using server = await serveForTest(attaching(attachment));
  const client = new Client(server.socketPath);
  client.socket.write(upgrade("/containers/a/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,d"));
  await client.until((text) => text.includes("\r\n\r\n"));
  client.socket.write("ls\x01x\x01d");
  await attachment.closed;
  assert.equal(Buffer.concat(attachment.input).toString(), "ls\x01x");
  await client.ended;

  const wrong = new Client(server.socketPath);
  wrong.socket.write(upgrade("/containers/a/attach?stream=1&stdin=1&detachKeys=foo"));
  await wrong.ended;
  assert.equal(wrong.stream.toString(), '{"message":"Invalid detach keys (foo) provided"}\n');
});

/** Services with one exec, whose process takes a while to start. */
function starting(attachment: Attachment) {
  return fakeServices({
    execs: {
      inspect: async () => ({ OpenStdin: true }),
      start: async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return attachment;
      },
    },
  });
}

test("an exec whose request comes in pieces, with its input close behind, reads all of it", async () => {
  for (const input of ["typed", ""]) {
    const attachment = fakeAttachment();
    await using server = await serveForTest(starting(attachment));
    const client = new Client(server.socketPath);
    const whole = upgrade("/v1.43/exec/e/start", '{"Detach":false}');
    const body = whole.indexOf("\r\n\r\n") + 4;
    client.socket.write(whole.slice(0, body));
    setTimeout(() => client.socket.write(whole.slice(body)), 20);
    await client.until((text) => text.startsWith("HTTP/1.1 101 "));
    // Input and its end are there before the process is.
    client.socket.end(input);
    await attachment.stdinClosed;
    assert.equal(Buffer.concat(attachment.input).toString(), input);
    attachment.emit("stdout", "done\n");
    attachment.end();
    await client.ended;
    assert.deepEqual(client.stream, frame("stdout", Buffer.from("done\n")));
  }
});
