import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { answerKind, frameHeader } from "../launcher/wire.ts";
import { Plan } from "../plan/plan.ts";
import { GuestLauncher } from "./launcher.ts";

/** The guest's side of a launcher's stream. */
function launcher(): { stream: Duplex; client: GuestLauncher } {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  return { stream, client: new GuestLauncher(stream) };
}

function answer(id: number, kind: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(frameHeader);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(id, 4);
  head[8] = kind;
  return Buffer.concat([head, payload]);
}

test("answers reach who asked", async () => {
  const { stream, client } = launcher();
  const run = client.run(new Plan());
  const output = Buffer.from("\x03\0\0\0abc", "latin1");
  stream.push(answer(1, answerKind.ok, output));
  assert.deepEqual(await run, [Buffer.from("abc")]);
});

test("answers that cannot be end the connection, and with it what waits", async () => {
  const endless = answer(1, answerKind.ok, Buffer.alloc(0));
  endless.writeUInt32LE(0x7fffffff, 0);
  for (const bytes of [
    endless,
    answer(1, answerKind.failed, Buffer.from([1])),
    answer(1, answerKind.started, Buffer.alloc(3)),
    answer(1, answerKind.ok, Buffer.from([1])),
  ]) {
    const { stream, client } = launcher();
    const run = client.run(new Plan());
    stream.push(bytes);
    const result = await run;
    assert.ok(!Array.isArray(result) || result.length === 0);
    assert.ok(stream.destroyed);
  }
});

test("random answers settle or end it", async () => {
  for (let round = 0; round < 500; round++) {
    const { stream, client } = launcher();
    const run = client.run(new Plan());
    for (let piece = 0; piece < 20; piece++)
      stream.push(answer(randomInt(0, 3), randomInt(0, 8), randomBytes(randomInt(0, 40))));
    stream.push(null);
    await run;
  }
});
