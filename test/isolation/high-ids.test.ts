// Users and files with ids above 65535, which a container's own block of ids does not have.
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { archiveUrl, call, listing } from "../files/support.ts";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("high-ids");
  const layer = tarOf([
    { name: "secret", data: "kept\n", mode: 0o600, uid: 100_000, gid: 200_000 },
    { name: "srv/big/", type: "directory", mode: 0o700, uid: 1_000_000_000, gid: 1_000_000_000 },
    { name: "etc/passwd", data: "root:x:0:0::/:/bin/sh\nbig:x:100000:200000::/home:/bin/sh\n" },
  ]);
  const image = busyboxImage({
    tags: ["high:1"],
    layers: [busyboxLayer(), layer],
    config: { User: "big" },
  });
  await daemon.ok(["load"], { input: dockerArchive([image]) });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (options: string[], script: string): Promise<string> =>
  daemon.ok(["run", "--rm", "--network", "none", ...options, "sh", "-c", script]);

test("a user and further groups by any number that Docker takes", async () => {
  assert.equal(await run(["-u", "100000:200000", "busybox"], "id -u; id -g"), "100000\n200000");
  assert.equal(await run(["-u", "2147483647", "busybox"], "id -u"), "2147483647");
  assert.equal(await run(["--group-add", "123456", "busybox"], "id -G"), "0 123456");
  assert.equal(await run(["high:1"], "id -un; cat /secret"), "big\nkept");
});

test("an image's files have their owners, and root its rights over them", async () => {
  const script =
    "stat -c %u:%g /secret /srv/big; cat /secret; touch /srv/big/x; chown 300000:5 /secret; stat -c %u:%g /secret";
  const expected = "100000:200000\n1000000000:1000000000\nkept\n300000:5";
  assert.equal(await run(["-u", "0", "high:1"], script), expected);
});

test("exec, copies both ways and top say the same numbers", async () => {
  await daemon.ok(["run", "-d", "--name", "up", "--network", "none", "busybox", "sleep", "600"]);
  await daemon.ok(["exec", "-u", "100000:70000", "up", "touch", "/tmp/made"]);
  await daemon.ok(["exec", "-d", "-u", "123456", "up", "sleep", "600"]);
  assert.match(await daemon.ok(["top", "up"]), /^123456 .*sleep 600$/m);
  const archive = tarOf([{ name: "put", data: "x", uid: 2_000_000_000, gid: 70_000 }]);
  await daemon.ok(["cp", "-a", "-", "up:/tmp"], { input: archive });
  const listed = await daemon.ok(["exec", "up", "stat", "-c", "%u:%g", "/tmp/made", "/tmp/put"]);
  assert.equal(listed, "100000:70000\n2000000000:70000");
  for (const state of ["running", "stopped"]) {
    const { status, body } = await call(daemon.socket, "GET", archiveUrl("up", "/tmp/put"));
    assert.equal(status, 200, `${state}: ${body}`);
    assert.match((await listing(body)).join(), / 2000000000:70000 /, state);
    await daemon.ok(["stop", "-t", "0", "up"]);
  }
  await daemon.ok(["rm", "up"]);
});

test("a directory of the host that belongs to such a user", async () => {
  const directory = join(daemon.directory, "theirs");
  mkdirSync(directory);
  chownSync(directory, 300_000, 300_000);
  chmodSync(directory, 0o700);
  const options = ["-u", "300000:300000", "-v", `${directory}:/theirs`, "busybox"];
  assert.equal(await run(options, "touch /theirs/own; stat -c %u /theirs"), "300000");
  assert.equal(statSync(join(directory, "own")).uid, 300_000);
});
