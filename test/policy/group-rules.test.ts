// What groups guard and tell, in either version: devices, kills for want of memory, usage, who may be where.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { groupDirectories } from "../../src/runtime/cgroup/processes.ts";
import { detectCgroups } from "../../src/runtime/cgroup/support.ts";
import { major, minor } from "../../src/runtime/devices.ts";
import { TestDaemon, until } from "../support/daemon.ts";

const host = detectCgroups();
const v2 = host.layout.mode === "v2";
const v2Only = v2 ? false : "a rule of version 2";
let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("group-rules");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** A device that is none of those every container has. */
const guarded = "/dev/fuse";
const there = existsSync(guarded);

test("devices: what the rules say, by kind of access", {
  skip: there ? false : `no ${guarded}`,
}, async () => {
  const { rdev } = statSync(guarded);
  const numbers = `${major(rdev)}:${minor(rdev)}`;
  // Opened and closed again: `<` to read, `>>` to write.
  const script = `mknod /tmp/d c ${numbers.replace(":", " ")}; for w in '<' '>>' '<>'; do sh -c "exec 3$w/tmp/d" 2>/dev/null && echo -n "$w "; done`;
  const opened = async (...options: string[]): Promise<string> =>
    (
      await daemon.ok([
        ...["run", "--rm", "--network", "none", "--userns", "host", ...options],
        ...["busybox", "sh", "-c", `${script}; true`],
      ])
    ).trim();
  assert.equal(await opened(), "");
  assert.equal(await opened("--device-cgroup-rule", `c ${numbers} r`), "<");
  assert.equal(await opened("--device-cgroup-rule", `c ${numbers} w`), ">>");
  assert.equal(await opened("--device-cgroup-rule", `c ${numbers} rw`), "< >> <>");
  assert.equal(await opened("--device-cgroup-rule", `c ${major(rdev)}:* rwm`), "< >> <>");
  assert.equal(await opened("--device-cgroup-rule", "a *:* rwm"), "< >> <>");
  assert.equal(await opened("--device", `${guarded}:/dev/it:r`), "<");
  assert.equal(await opened("--privileged"), "< >> <>");
});

test("devices: an exec has the rules of its container, also a privileged one", async () => {
  await daemon.ok([
    ...["run", "-d", "--name", "guarded", "--network", "none", "--userns", "host", "busybox", "sleep", "600"],
  ]);
  const script = "mknod /tmp/disk b 7 0; head -c 1 /tmp/disk";
  const { code, stderr } = await daemon.docker(["exec", "--privileged", "guarded", "sh", "-c", script]);
  assert.equal(code, 1);
  assert.match(stderr, /\/tmp\/disk: Operation not permitted/);
  await daemon.ok(["rm", "-f", "guarded"]);
});

const eat = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";

test("a kill for want of memory: an event, and the state when it was the first process", async () => {
  const since = Math.floor(Date.now() / 1000) - 1;
  const id = await daemon.ok([
    ...["run", "-d", "--name", "hungry", "--network", "none", "-m", "16m", "--memory-swap", "16m"],
    ...["busybox", "sleep", "600"],
  ]);
  const events = async (): Promise<string[]> =>
    (
      await daemon.ok([
        ...["events", "--since", `${since}`, "--until", `${Math.ceil(Date.now() / 1000) + 1}`],
        ...["--filter", "event=oom", "--format", "{{.Action}} {{.Actor.ID}}"],
      ])
    )
      .split("\n")
      .filter(Boolean);
  const exec = await daemon.docker(["exec", "hungry", "sh", "-c", eat]);
  assert.equal(exec.code, 137);
  await until("the event", async () => (await events()).includes(`oom ${id}`));
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Status}}", "hungry"]), "running");
  await daemon.ok(["rm", "-f", "hungry"]);
  const fed = await daemon.docker([
    ...["run", "--name", "starved", "--network", "none", "-m", "16m", "--memory-swap", "16m"],
    ...["busybox", "sh", "-c", eat],
  ]);
  assert.equal(fed.code, 137);
  assert.equal(
    await daemon.ok(["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "starved"]),
    "true 137",
  );
  await daemon.ok(["rm", "starved"]);
});

test("stats: memory and its limit, processes", async () => {
  // 24 MB in a file of /dev/shm are the group's; a second process waits with them.
  const script = "head -c 25165824 /dev/zero > /dev/shm/f; echo ready; sleep 600 & exec sleep 600";
  await daemon.ok([
    ...["run", "-d", "--name", "used", "--network", "none", "-m", "64m", "--pids-limit", "20"],
    ...["busybox", "sh", "-c", script],
  ]);
  await until("it is ready", async () => (await daemon.ok(["logs", "used"])) === "ready");
  const format = "{{.MemUsage}}|{{.PIDs}}";
  const [memory = "", pids] = (await daemon.ok(["stats", "--no-stream", "--format", format, "used"])).split(
    "|",
  );
  const [used = "", limit] = memory.split(" / ");
  assert.equal(limit, "64MiB");
  assert.ok(Number.parseFloat(used) >= 24 && used.endsWith("MiB"), used);
  assert.equal(pids, "2");
  await daemon.ok(["rm", "-f", "used"]);
});

test("the view of groups: one's own as the root, or the host's", async () => {
  const look = ["busybox", "cat", "/proc/self/cgroup"];
  const own = await daemon.ok(["run", "--rm", "--network", "none", ...look]);
  assert.ok(
    own.split("\n").every((line) => /:\/$/.test(line) || !line.includes(daemon.cgroupParent)),
    own,
  );
  const all = await daemon.ok(["run", "--rm", "--network", "none", "--cgroupns", "host", ...look]);
  assert.match(all, new RegExp(`:/${daemon.cgroupParent}/[0-9a-f]{64}$`, "m"));
});

test("a parent that has processes of its own cannot have limited groups", { skip: v2Only }, async () => {
  const directory = join(host.layout.unified?.mountpoint ?? "", `${daemon.cgroupParent}-taken`);
  mkdirSync(directory);
  const sleeper = spawn("sleep", ["600"]);
  writeFileSync(join(directory, "cgroup.procs"), `${sleeper.pid}`);
  const options = ["--network", "none", "--cgroup-parent", `/${daemon.cgroupParent}-taken`];
  const { code, stderr } = await daemon.docker(["run", "--rm", ...options, "busybox", "true"]);
  const ended = new Promise((done) => sleeper.once("exit", done));
  sleeper.kill();
  await ended;
  assert.notEqual(code, 0);
  assert.match(stderr, /the group has processes of its own; move them into a child group first/);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
  assert.equal((await daemon.docker(["run", "--rm", ...options, "busybox", "true"])).code, 0);
  await until("the container's group is gone", () =>
    readdirSync(directory, { withFileTypes: true }).every((entry) => !entry.isDirectory()),
  );
  rmdirSync(directory);
});

test("processes go into groups that have none below them", { skip: v2Only }, async () => {
  const group = `${daemon.cgroupParent}/outer`;
  assert.equal((await daemon.berth(["cgroup", "create", `${group}/inner`, "-m", "32m"])).code, 0);
  const sleeper = spawn("sleep", ["600"]);
  const { code, stderr } = await daemon.berth(["cgroup", "set", group, "--pid", `${sleeper.pid}`]);
  assert.equal(code, 1);
  assert.match(stderr, /outer hands controllers to groups below it: put the process into one of those/);
  assert.equal((await daemon.berth(["cgroup", "set", `${group}/inner`, "--pid", `${sleeper.pid}`])).code, 0);
  assert.ok(readFileSync(`/proc/${sleeper.pid}/cgroup`, "latin1").includes(`0::/${group}/inner`));
  assert.equal((await daemon.berth(["cgroup", "rm", "-f", group])).code, 0);
  assert.deepEqual(groupDirectories(host, `/${group}`), []);
});

test("an exec reaches a container that divided its own group", { skip: v2Only }, async () => {
  const script =
    "cd /sys/fs/cgroup; mkdir init; for p in $(cat cgroup.procs); do echo $p > init/cgroup.procs; done; " +
    "echo +memory +pids > cgroup.subtree_control; echo divided; exec sleep 600";
  await daemon.ok([
    ...["run", "-d", "--name", "divided", "--network", "none", "--security-opt", "writable-cgroups=true"],
    ...["busybox", "sh", "-c", script],
  ]);
  await until("it has divided", async () => (await daemon.ok(["logs", "divided"])).endsWith("divided"));
  assert.equal(await daemon.ok(["exec", "divided", "cat", "/proc/self/cgroup"]), "0::/init");
  assert.match(await daemon.ok(["top", "divided", "-o", "pid,args"]), /sleep 600/);
  await daemon.ok(["pause", "divided"]);
  await daemon.ok(["unpause", "divided"]);
  await daemon.ok(["rm", "-f", "divided"]);
});
