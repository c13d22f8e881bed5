import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachWatcher, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

test("detach sequences are read as docker writes them", () => {
  assert.deepEqual(parseDetachKeys("ctrl-p,ctrl-q"), [...defaultDetachKeys]);
  assert.deepEqual(parseDetachKeys("ctrl-@,a,ctrl-_,ctrl-["), [0, 97, 31, 27]);
  for (const wrong of ["", "ctrl-", "ctrl-1", "ab", "é", "a,,b"]) {
    assert.throws(() => parseDetachKeys(wrong), /Invalid detach keys/);
  }
});

test("keys before the sequence go through and its beginning is held back", () => {
  const watcher = new DetachWatcher(defaultDetachKeys);
  const feed = (...bytes: number[]) => {
    const { send, detached } = watcher.feed(Buffer.from(bytes));
    return [[...send], detached];
  };
  assert.deepEqual(feed(1, 2), [[1, 2], false]);
  assert.deepEqual(feed(16), [[], false]);
  assert.deepEqual(feed(3), [[16, 3], false]);
  assert.deepEqual(feed(16, 16), [[16], false]);
  assert.deepEqual(feed(17, 5), [[], true]);
});
