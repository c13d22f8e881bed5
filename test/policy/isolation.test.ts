// What a container may do, by docker's options: capabilities, system calls, devices, paths.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("isolation");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (options: string[], script: string): Promise<Result> =>
  daemon.docker(["run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", script]);

/** A field of /proc/self/status inside. */
const status = async (options: string[], field: string): Promise<string> =>
  (await run(options, `grep '^${field}:' /proc/self/status | cut -f2`)).stdout.trim();

test("capabilities: Docker's fourteen, more, fewer, all", async () => {
  assert.equal(await status([], "CapBnd"), "00000000a80425fb");
  assert.equal(await status([], "CapEff"), "00000000a80425fb");
  assert.equal(await status(["--user", "1000"], "CapEff"), "0000000000000000");
  assert.equal(await status(["--cap-drop", "all", "--cap-add", "chown"], "CapEff"), "0000000000000001");
  // A user namespace has them all, whatever the daemon lacks.
  assert.equal(await status(["--cap-add", "ALL"], "CapBnd"), "000001ffffffffff");
});

test("capabilities do not reach the host", async () => {
  const { stdout, stderr } = await run(
    ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"],
    "mknod /tmp/disk b 254 0; date -s 2000-01-01 2>&1 | grep -o 'not permitted'; echo 1 > /proc/sys/vm/drop_caches",
  );
  assert.match(stdout, /not permitted/);
  assert.match(stderr, /mknod.*not permitted/);
  assert.match(stderr, /drop_caches/);
});

test("system calls are filtered by default, by profile, or not at all", async () => {
  assert.equal(await status([], "Seccomp"), "2");
  assert.equal(await status(["--security-opt", "seccomp=unconfined"], "Seccomp"), "0");
  assert.equal(await status(["--privileged"], "Seccomp"), "0");
  assert.match((await run([], "unshare -m true")).stderr, /Operation not permitted/);
  assert.equal((await run(["--cap-add", "SYS_ADMIN"], "unshare -m true")).code, 0);
  const profile = join(daemon.directory, "profile.json");
  const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 30 };
  writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }));
  const { stderr } = await run(["--security-opt", `seccomp=${profile}`], "mkdir /tmp/x");
  assert.match(stderr, /Read-only file system/);
  writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_NONSENSE" }));
  const refused = await run(["--security-opt", `seccomp=${profile}`], "true");
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /string SCMP_NONSENSE is not a valid action for seccomp/);
});

test("execs are filtered as their container is", async () => {
  await daemon.ok(["run", "-d", "--name", "filtered", "busybox", "sleep", "600"]);
  const inside = await daemon.ok(["exec", "filtered", "grep", "Seccomp:", "/proc/self/status"]);
  assert.match(inside, /2$/);
  assert.equal((await daemon.docker(["exec", "filtered", "unshare", "-m", "true"])).code, 1);
  await daemon.ok(["rm", "-f", "filtered"]);
});

test("no new privileges", async () => {
  assert.equal(await status([], "NoNewPrivs"), "0");
  assert.equal(await status(["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
});

test("devices: the usual ones, one more, all", async () => {
  const { stdout } = await run([], "ls /dev | tr '\\n' ' '; head -c 1 /dev/zero | od -An -tx1");
  assert.equal(
    stdout,
    "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero  00\n",
  );
  assert.match((await run(["--device", "/dev/fuse:/dev/x:r"], "ls -l /dev/x")).stdout, /^c.*10, 229/);
  assert.match((await run(["--privileged"], "ls /dev/kmsg")).stdout, /kmsg/);
  const missing = await run(["--device", "/dev/nope"], "true");
  // The docker CLI takes the text for a missing command, with dockerd as well.
  assert.equal(missing.code, 127);
  assert.match(
    missing.stderr,
    /error gathering device information while adding custom device "\/dev\/nope": no such file or directory/,
  );
});

test("a terminal where /dev is the host's", async () => {
  const pseudo = /^\/dev\/pts\/\d+\s*$/;
  for (const options of [[], ["--userns=host"]]) {
    const all = ["--network", "none", "-v", "/dev:/dev", ...options, "busybox"];
    assert.match(await daemon.ok(["run", "--rm", "-t", ...all, "tty"]), pseudo);
    const id = await daemon.ok(["run", "-d", ...all, "sleep", "600"]);
    assert.match(await daemon.ok(["exec", "-t", id, "tty"]), pseudo);
    await daemon.ok(["rm", "-f", id]);
  }
});

test("paths of the kernel are masked or read-only, unless asked", async () => {
  const look =
    "wc -c < /proc/timer_list; (echo x > /proc/sys/kernel/hostname) 2>&1; ls /sys/firmware | wc -l";
  const { stdout } = await run([], look);
  assert.match(stdout, /^0\n.*Read-only file system\n0\n$/);
  const open = await run(["--security-opt", "systempaths=unconfined"], "grep -c . /proc/timer_list");
  assert.notEqual(open.stdout, "0\n");
});

test("options that cannot be are refused as dockerd refuses them", async () => {
  for (const [options, message] of [
    [["--cap-add", "FOO"], 'invalid CapAdd: unknown capability: "CAP_FOO"'],
    [["--cap-drop", "BAR"], 'invalid CapDrop: unknown capability: "CAP_BAR"'],
    [["--security-opt", "foo=bar"], 'invalid --security-opt 2: "foo=bar"'],
    [["--oom-score-adj", "2000"], "Invalid value 2000, range for oom score adj is [-1000, 1000]"],
  ] as const) {
    const { code, stderr } = await run([...options], "true");
    assert.equal(code, 125);
    assert.ok(stderr.includes(`Error response from daemon: ${message}`), stderr);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});
