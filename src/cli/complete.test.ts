import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "./client/client.ts";
import { complete } from "./complete.ts";

const nobody = new Client({ host: "unix:///none", endpoint: { kind: "unix", path: "/none" } });
const offered = (...words: string[]) => complete(words, nobody);

test("commands, of the program and of a group", async () => {
  assert.deepEqual(await offered("ru"), ["run"]);
  assert.deepEqual(await offered("container", "re"), ["rename", "restart"]);
  assert.equal((await offered("")).includes("__complete"), false);
  assert.deepEqual(await offered("nope", "x"), []);
});

test("flags, and their values after them or after =", async () => {
  assert.deepEqual(await offered("run", "--pul"), ["--pull"]);
  assert.deepEqual(await offered("run", "--pull", ""), ["always", "missing", "never"]);
  assert.deepEqual(await offered("run", "--pull=n"), ["--pull=never"]);
  assert.deepEqual(await offered("-H", "unix:///x", "ru"), ["run"]);
  assert.deepEqual(await offered("load", "-qi", ""), [":files"]);
});

test("what comes after the image is the command's", async () => {
  assert.deepEqual(await offered("run", "-it", "busybox", ""), [":files"]);
  await assert.rejects(offered("exec", ""), /Cannot connect/);
});
