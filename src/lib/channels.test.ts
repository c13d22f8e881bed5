import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { Channels } from "./channels.ts";

const read = async (stream: Duplex): Promise<string> => Buffer.concat(await stream.toArray()).toString();

test("streams go their own ways over one connection", async () => {
  const [here, there] = duplexPair();
  const opener = new Channels(here);
  new Channels(there, (stream) => {
    stream.on("data", (chunk) => stream.write(`<${chunk}>`));
    stream.on("end", () => stream.end());
  });
  const [one, two] = [opener.open(), opener.open()];
  one.write("a");
  two.write("b");
  one.end("c");
  two.end();
  assert.deepEqual(await Promise.all([read(one), read(two)]), ["<a><c>", "<b>"]);
  const three = opener.open();
  three.write("d");
  const ended = new Promise((done) => three.once("close", done));
  there.destroy();
  opener.close();
  await Promise.all([ended, opener.closed]);
});

test("a stream has nothing of the one before it", async () => {
  const [here, there] = duplexPair();
  const opener = new Channels(here);
  const opened: Duplex[] = [];
  new Channels(there, (stream) => {
    opened.push(stream.resume());
    if (opened.length > 1) stream.end("second");
  });
  const first = opener.open();
  first.write("a");
  await new Promise((done) => setImmediate(done));
  first.destroy();
  const second = opener.open();
  second.write("b");
  await new Promise((done) => setImmediate(done));
  // What the other side still says on the first.
  opened[0]?.end("first");
  assert.equal(await read(second), "second");
  assert.equal(opened.length, 2);
  const closed = opener.open();
  closed.destroy();
  opener.open().write("c");
  await new Promise((done) => setImmediate(done));
  assert.equal(opened.length, 3, "one that is closed unused is told to nobody");
  opener.close();
});
