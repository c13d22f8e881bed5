import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { Channels } from "./channels.ts";

const read = async (stream: Duplex): Promise<string> => Buffer.concat(await stream.toArray()).toString();

test("streams go their own ways over one connection", async () => {
  const [here, there] = duplexPair();
  const answers: Duplex[] = [];
  const opener = new Channels(here);
  new Channels(there, (stream) => {
    answers.push(stream);
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
  assert.equal(answers.length, 2 + Number(answers.length > 2));
});
