import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readBody } from "./http.ts";

async function* drops(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.from(" ");
    await sleep(2);
  }
}

test("a body that drips for ever is given up", async () => {
  const answer = { status: 200, headers: {}, body: Readable.from(drops()), url: new URL("http://x/y") };
  await assert.rejects(readBody(answer, 2 ** 20, 50), { message: 'Get "http://x/y": the answer has no end' });
});
