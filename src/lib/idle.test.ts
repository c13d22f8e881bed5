import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Idle } from "./idle.ts";

test("rests when nothing has happened for a while", async () => {
  const order: string[] = [];
  const { promise: rested, resolve } = Promise.withResolvers<void>();
  const idle = new Idle(() => {
    order.push("rest");
    resolve();
  }, 50);
  // Timers that are late still come in the order of their times.
  setTimeout(() => idle.happens(), 30);
  setTimeout(() => order.push("when it would have been"), 60);
  await Promise.all([rested, pause(200)]);
  assert.deepEqual(order, ["when it would have been", "rest"]);
  idle.close();
});

test("rests once, until something happens again, and never after it was closed", async () => {
  let rests = 0;
  let rested = Promise.withResolvers<void>();
  const idle = new Idle(() => {
    rests++;
    rested.resolve();
  }, 10);
  await Promise.all([rested.promise, pause(100)]);
  assert.equal(rests, 1);
  rested = Promise.withResolvers<void>();
  idle.happens();
  await Promise.all([rested.promise, pause(100)]);
  assert.equal(rests, 2);
  idle.close();
  idle.happens();
  await pause(100);
  assert.equal(rests, 2);
});
