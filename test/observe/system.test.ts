// docker info, version and system df, and berth explain.
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("system");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

test("version and info as the docker CLI prints them", async () => {
  const version = await daemon.docker(["version"]);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /Server: Berth\n Engine:\n {2}Version: +\d/);
  assert.match(version.stdout, /API version: +1\.50 \(minimum version 1\.24\)/);
  const info = await daemon.docker(["info"]);
  assert.equal(info.code, 0, info.stderr);
  for (const line of ["Storage Driver: overlay2", "Cgroup Driver: cgroupfs", "Live Restore Enabled: true"]) {
    assert.ok(info.stdout.includes(` ${line}\n`), line);
  }
  const counts = "{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}";
  await daemon.ok(["run", "-d", "--name", "one", "busybox", "sleep", "1000"]);
  await daemon.ok(["create", "--name", "two", "busybox", "true"]);
  assert.equal(await daemon.ok(["info", "-f", counts]), "2 1 0 1");
  await daemon.ok(["pause", "one"]);
  assert.equal(await daemon.ok(["info", "-f", counts]), "2 0 1 1");
  await daemon.ok(["unpause", "one"]);
  const id = await daemon.ok(["info", "-f", "{{.ID}}"]);
  await daemon.down();
  await daemon.up();
  assert.equal(await daemon.ok(["info", "-f", "{{.ID}}"]), id);
});

test("system df, short and long", async () => {
  const rows = (await daemon.ok(["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}"])).split(
    "\n",
  );
  assert.deepEqual(rows, ["Images|1|1", "Containers|2|1", "Local Volumes|0|0", "Build Cache|0|0"]);
  await daemon.ok(["exec", "one", "sh", "-c", "head -c 1000000 /dev/zero > /big"]);
  const long = await daemon.docker(["system", "df", "-v"]);
  assert.equal(long.code, 0, long.stderr);
  assert.match(long.stdout, /busybox +latest +[0-9a-f]{12} .* 2\n/);
  assert.match(long.stdout, /"sleep 1000" +0 +1MB /);
});

test("explain run prints the plan and leaves nothing", async () => {
  const before = await daemon.ok(["ps", "-aq"]);
  const { code, stdout } = await daemon.berth([
    "explain",
    "run",
    "--rm",
    "-m",
    "64m",
    "busybox",
    "echo",
    "hi",
  ]);
  assert.equal(code, 0);
  for (const expected of [
    /^\d+ system calls would run \["echo","hi"\] of busybox\. Nothing has been done\.$/m,
    /^User: /m,
    /clone3\(CLONE_NEWUSER\)/,
    /write_file\(\{\/proc\/PID\}, "uid_map", "0 \d+ 65536\\n65536 2147483648 2147418112\\n"\)/,
    /clone3\(CLONE_NEWPID\)/,
    /pivot_root\("\.", "\."\)/,
    /"67108864"/,
    /execve\(\["echo", "hi"\]/,
  ]) {
    assert.match(stdout, expected);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), before);
  const json = await daemon.berth(["explain", "--format", "json", "run", "busybox"]);
  assert.ok(JSON.parse(json.stdout).steps.length > 50);
  const unknown = await daemon.berth(["explain", "run", "no-such-image"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /No such image: no-such-image:latest/);
});

test("explain of a running container tells what /proc tells", async () => {
  const pid = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "one"]);
  const { code, stdout } = await daemon.berth(["explain", "one"]);
  assert.equal(code, 0);
  const inode = (file: string): string =>
    /\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${file}`))?.[1] ?? "";
  assert.match(stdout, new RegExp(`^PID ${pid} on the host, 1 inside$`, "m"));
  for (const file of ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"]) {
    assert.match(stdout, new RegExp(`^ {2}${file} +${inode(file)} +\\d+ `, "m"));
  }
  assert.match(stdout, /users 0-65535 inside +\d+-\d+ on the host/);
  assert.match(stdout, /^ {2}\/proc +proc +proc +rw,nosuid,nodev,noexec/m);
  assert.match(stdout, /^ {2}effective +chown dac_override /m);
  const stopped = await daemon.berth(["explain", "two"]);
  assert.equal(stopped.code, 1);
  assert.match(stopped.stderr, /is not running/);
});
