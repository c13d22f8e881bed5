import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readPid } from "../../src/runtime/shim/exit.ts";
import { canRun, collect, Fixture, readLog } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

const launcherOf = (): number => {
  const pid = fixture.runtime.launcherPid;
  assert.ok(pid);
  return pid;
};

test("a container survives its launcher, another is started by the next one", { skip }, async () => {
  const launch = fixture.launch(["sh", "-c", "while true; do echo tick; sleep 0.05; done"]);
  const shim = await fixture.runtime.start(launch);
  process.kill(launcherOf(), "SIGKILL");
  await delay(100);
  const other = await fixture.run(fixture.launch(["echo", "second"]));
  assert.equal(other.stdout, "second\n");
  const before = readLog(launch.log.path).stdout.length;
  await delay(200);
  assert.ok(readLog(launch.log.path).stdout.length > before, "the log stands still");
  await shim.signal(15);
  await shim.signal(9);
  assert.equal((await shim.exited).exitCode, 137);
  await shim.dispose();
});

test("a new runtime finds what runs and what has ended", { skip }, async () => {
  const running = fixture.launch(["sh", "-c", "read x; echo got $x; exit 9"], (l) => {
    l.stdio.stdin = true;
  });
  const ended = fixture.launch(["sh", "-c", "sleep 0.2; exit 6"]);
  const [first, second] = [await fixture.runtime.start(running), await fixture.runtime.start(ended)];
  await fixture.runtime.close();
  await delay(500);
  fixture.runtime = fixture.open();
  const shims = new Map((await fixture.runtime.adopt()).map((shim) => [shim.id, shim]));
  assert.deepEqual([...shims.keys()].sort(), [running.id, ended.id].sort());
  assert.equal((await shims.get(ended.id)?.exited)?.exitCode, 6);
  const shim = shims.get(running.id);
  assert.ok(shim);
  assert.equal(shim.pid, first.pid);
  assert.equal(shim.startTime, first.startTime);
  const attachment = await shim.attach({ stdin: true, stdout: true, stderr: true });
  await attachment.write(Buffer.from("it\n"));
  assert.equal((await collect(attachment)).stdout, "got it\n");
  assert.equal((await shim.exited).exitCode, 9);
  assert.ok(second);
  for (const each of shims.values()) await each.dispose();
});

test("a killed shim is noticed", { skip }, async () => {
  const launch = fixture.launch(["sleep", "1000"]);
  const shim = await fixture.runtime.start(launch);
  process.kill(shimOf(launch.id), "SIGKILL");
  await assert.rejects(shim.exited, /was killed/);
  process.kill(shim.pid, "SIGKILL");
  await shim.dispose();
});

test("a launch that fails leaves nothing", { skip }, async () => {
  await assert.rejects(fixture.runtime.start(fixture.launch(["nosuch"])));
  assert.deepEqual(readdirSync(join(fixture.execRoot, "shims")), []);
});

function shimOf(id: string): number {
  const found = readPid(join(fixture.execRoot, "shims", id));
  assert.ok(found);
  return found.shimPid;
}
