import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { canRun, collect, Fixture } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

test("a container runs to its end: streams, log, exit status", { skip }, async () => {
  const result = await fixture.run(fixture.launch(["sh", "-c", "id -u; hostname; echo oops >&2; exit 3"]));
  assert.equal(result.exitCode, 3);
  assert.equal(result.signal, null);
  assert.equal(result.stdout, "0\ntest\n");
  assert.equal(result.stderr, "oops\n");
});

test("only the container's own mounts and descriptors are there", { skip }, async () => {
  const { stdout } = await fixture.run(fixture.launch(["sh", "-c", "mount; ls /proc/self/fd | wc -w"]));
  const targets = stdout.split("\n").map((line) => line.split(" ")[2]);
  assert.ok(targets.includes("/dev/pts"));
  assert.ok(!stdout.includes("/dev/vda"), stdout);
  // 0, 1, 2 and the directory that ls reads.
  assert.match(stdout, /\n4\n$/);
});

test("the process has its own ids on the host and Docker's capabilities", { skip }, async () => {
  const { stdout } = await fixture.run(
    fixture.launch(["sh", "-c", "cat /proc/self/uid_map; grep CapEff /proc/self/status"]),
  );
  assert.match(stdout, /^ +0 +1000000 +65536\nCapEff:\t00000000a80425fb\n$/);
});

test("a command that is not found names the command", { skip }, async () => {
  await assert.rejects(fixture.runtime.start(fixture.launch(["nosuch"])), {
    exitCode: 127,
    status: 400,
    message: /exec: "nosuch": executable file not found in \$PATH: unknown$/,
  });
  await assert.rejects(fixture.runtime.start(fixture.launch(["/nosuch"])), {
    exitCode: 127,
    message: /exec: "\/nosuch": stat \/nosuch: no such file or directory: unknown$/,
  });
  await assert.rejects(fixture.runtime.start(fixture.launch(["/etc/plain"])), {
    exitCode: 126,
    message: /exec: "\/etc\/plain": permission denied: unknown$/,
  });
});

test("where the path of the sockets is longer than a socket's address may be", { skip }, async () => {
  const deep = join(fixture.root, "d".repeat(100));
  mkdirSync(deep);
  const inside = new Fixture({}, deep);
  const launch = inside.launch(["echo", "deep"], (l) => {
    l.stdio.waitForAttach = 1;
  });
  const shim = await inside.runtime.start(launch);
  assert.equal(
    (await collect(await shim.attach({ stdin: false, stdout: true, stderr: true }))).stdout,
    "deep\n",
  );
  await inside.close();
});

test("six megabytes of memory and one process are enough", { skip }, async () => {
  const launch = fixture.launch(["true"], (l) => {
    l.spec.linux.resources = { memory: { limit: 6 << 20, swap: 6 << 20 }, pids: { limit: 1 } };
  });
  assert.equal((await fixture.run(launch)).exitCode, 0);
});
