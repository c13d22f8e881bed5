// What is particular to containers in a virtual machine of their own.
import assert from "node:assert/strict";
import { release } from "node:os";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

const isolated = ["--isolation=hyperv"];

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("hyperv");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (...args: string[]): Promise<string> => daemon.ok(["run", "--rm", ...isolated, ...args]);

test("one image both ways: the kernel inside is the host's or the guest's", async () => {
  assert.equal(await daemon.ok(["run", "--rm", "busybox", "uname", "-r"]), release());
  const guest = await run("--network", "none", "busybox", "uname", "-r");
  assert.match(guest, /^\d+\.\d+/);
  assert.notEqual(guest, release());
});
