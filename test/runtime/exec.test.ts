import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { after, before, test } from "node:test";
import type { ContainerLaunch, Shim, Stdio } from "../../src/runtime/types.ts";
import { canRun, collect, Fixture } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
let launch: ContainerLaunch;
let shim: Shim;

before(async () => {
  if (skip) return;
  launch = fixture.launch(["sleep", "1000"]);
  shim = await fixture.runtime.start(launch);
});
after(async () => {
  await shim?.signal(9);
  await shim?.exited;
  await fixture.close();
});

async function exec(args: string[], stdio: Partial<Stdio> = {}, input?: string) {
  const wanted = fixture.exec(shim, launch, args);
  wanted.stdio = { ...wanted.stdio, waitForAttach: 1, ...stdio };
  const started = await fixture.runtime.exec(wanted);
  const attachment = await started.attach({ stdin: true, stdout: true, stderr: true });
  if (input !== undefined) {
    await attachment.write(Buffer.from(input));
    attachment.closeStdin();
  }
  const output = await collect(attachment);
  const status = await started.exited;
  await started.dispose();
  return { ...output, ...status };
}

test("an exec shares namespaces and control groups of the container", { skip }, async () => {
  const inside = await exec(["sh", "-c", "ps -o pid,comm; readlink /proc/self/ns/net; exit 5"]);
  assert.equal(inside.exitCode, 5);
  assert.match(inside.stdout, /1 sleep/);
  assert.equal(inside.stdout.trimEnd().split("\n").at(-1), readlinkSync(`/proc/${shim.pid}/ns/net`));
  const groups = await exec(["grep", "-E", "memory|pids", "/proc/self/cgroup"]);
  assert.match(groups.stdout, /^\d+:pids:\/$/m);
  assert.match(groups.stdout, /^\d+:memory:\/$/m);
});

test("stdin reaches the process and can be closed", { skip }, async () => {
  const { stdout } = await exec(["cat"], { stdin: true }, "over there\n");
  assert.equal(stdout, "over there\n");
});

test("a terminal is the container's own", { skip }, async () => {
  const { stdout } = await exec(["sh", "-c", "tty; stty size"], {
    tty: true,
    consoleSize: { height: 12, width: 34 },
  });
  assert.equal(stdout, "/dev/pts/0\r\n12 34\r\n");
});

test("execs run side by side", { skip }, async () => {
  const results = await Promise.all(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => exec(["sh", "-c", `echo ${n}; exit ${n}`])),
  );
  assert.deepEqual(
    results.map(({ exitCode }) => exitCode),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.deepEqual(
    results.map(({ stdout }) => stdout.trim()),
    ["1", "2", "3", "4", "5", "6", "7", "8"],
  );
});

test("failures have Docker's words", { skip }, async () => {
  await assert.rejects(exec(["nosuch"]), {
    exitCode: 127,
    message:
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
  });
  const gone = fixture.exec(shim, launch, ["true"]);
  gone.containerStartTime = 1;
  await assert.rejects(fixture.runtime.exec(gone), { errno: "ESRCH" });
});

test("a child that keeps the output open does not delay the exit status", { skip }, async () => {
  const before = performance.now();
  const { exitCode } = await exec(["sh", "-c", "sleep 5 & exit 4"]);
  assert.equal(exitCode, 4);
  assert.ok(performance.now() - before < 2000);
});

test("nor does one that never stops writing", { skip }, async () => {
  const { exitCode, stdout } = await exec(["sh", "-c", "while :; do echo on and on; done & exit 3"]);
  assert.equal(exitCode, 3);
  assert.match(stdout, /^on and on$/m);
});
