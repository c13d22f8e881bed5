// What a container may use, by docker's options, as the kernel has it.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { groupLimits } from "../../src/runtime/cgroup/limits.ts";
import { detectCgroups } from "../../src/runtime/cgroup/support.ts";
import { detectLimits } from "../../src/runtime/limits.ts";
import { rlimits } from "../../src/runtime/linux.ts";
import { call, message } from "../files/support.ts";
import { TestDaemon } from "../support/daemon.ts";

const host = detectCgroups();
const megabytes = (count: number) => count << 20;
let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("limits");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** Starts a sleeping container; returns the path of its group. */
async function start(name: string, ...options: string[]): Promise<string> {
  const id = await daemon.ok(["run", "-d", "--name", name, ...options, "busybox", "sleep", "600"]);
  return join("/", daemon.cgroupParent, id);
}

test("limits reach the kernel, and update changes them", async () => {
  const path = await start("one", "-m", "64m", "--cpus", "0.5", "--pids-limit", "20", "--cpuset-cpus", "0");
  assert.deepEqual(groupLimits(host, path), {
    memory: megabytes(64),
    memorySwap: megabytes(128),
    cpus: 0.5,
    cpusetCpus: "0",
    // Version 2 has what its parent has unless told.
    ...(host.layout.mode === "v2" ? {} : { cpusetMems: host.support.mems }),
    pids: 20,
  });
  await daemon.ok(["update", "-m", "128m", "--memory-swap", "256m", "--cpus", "1.5", "one"]);
  const updated = groupLimits(host, path);
  assert.deepEqual([updated.memory, updated.memorySwap, updated.cpus], [megabytes(128), megabytes(256), 1.5]);
  const refused = await daemon.docker(["update", "-m", "1m", "one"]);
  assert.match(refused.stderr, /Minimum memory limit allowed is 6MB/);
  assert.equal(groupLimits(host, path).memory, megabytes(128));
});

test("a controller that was not needed is joined when a limit comes", async () => {
  const path = await start("late");
  await daemon.ok(["update", "--cpus", "1", "--cpuset-cpus", "0", "late"]);
  const limits = groupLimits(host, path);
  assert.deepEqual([limits.cpus, limits.cpusetCpus], [1, "0"]);
  assert.equal(await daemon.ok(["exec", "late", "nproc"]), "1");
});

test("too many processes and too much memory", async () => {
  await start("few", "--pids-limit", "3");
  const forks = await daemon.docker(["exec", "few", "sh", "-c", "sleep 5 & sleep 5 & sleep 5 & true"]);
  assert.match(forks.stderr, /can't fork: Resource temporarily unavailable/);
  const eat = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";
  const fed = await daemon.docker(["run", "--name", "fat", "-m", "16m", "busybox", "sh", "-c", eat]);
  assert.equal(fed.code, 137);
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.OOMKilled}}", "fat"]), "true");
});

test("the container sees its own groups only, read-only", async () => {
  const look = "cat /proc/self/cgroup; find /sys/fs/cgroup -name '*.procs' | wc -l; mount | grep cgroup";
  const seen = await daemon.ok(["run", "--rm", "busybox", "sh", "-c", look]);
  assert.ok(!seen.includes(daemon.cgroupParent), seen);
  for (const line of seen.split("\n").filter((text) => text.includes(" type cgroup")))
    assert.match(line, /\(ro,/);
  const write = "echo 1 > /sys/fs/cgroup/memory/notify_on_release || echo 1 > /sys/fs/cgroup/cgroup.procs";
  const { stderr } = await daemon.docker(["run", "--rm", "busybox", "sh", "-c", write]);
  assert.match(stderr, /Read-only file system/);
});

test("--cgroup-parent", async () => {
  const parent = `/${daemon.cgroupParent}/parent`;
  const id = await daemon.ok([
    "run",
    "-d",
    "--name",
    "child",
    "--cgroup-parent",
    parent,
    "busybox",
    "sleep",
    "60",
  ]);
  const pid = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "child"]);
  assert.ok(readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(`${parent}/${id}`));
  await daemon.ok(["rm", "-f", "child"]);
  await daemon.berth(["cgroup", "rm", parent]);
});

test("limits that cannot be are refused as dockerd refuses them, others warned of", async () => {
  const cpus = host.support.cpuCount;
  for (const [options, message] of [
    [["-m", "1m"], "Minimum memory limit allowed is 6MB"],
    [
      ["--cpus", "1", "--cpu-period", "5000"],
      "Conflicting options: Nano CPUs and CPU Period cannot both be set",
    ],
    [
      ["--cpuset-cpus", "900"],
      `Requested CPUs are not available - requested 900, available: ${host.support.cpus}`,
    ],
    [
      ["--cpus", `${cpus + 1}`],
      `Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    ],
    [["--device-read-bps", "/dev/nope:1mb"], "stat /dev/nope: no such file or directory"],
  ] as const) {
    // Docker's own command line loses this flag's value in version 26.
    const client = message.startsWith("stat ") ? "berth" : "docker";
    const { code, stderr } = await daemon[client](["run", "--rm", ...options, "busybox", "true"]);
    assert.equal(code, message.startsWith("stat ") ? 127 : 125);
    assert.ok(stderr.includes(message), stderr);
  }
  if (host.support.blkioWeight) return;
  const { code, stderr } = await daemon.docker(["run", "--rm", "--blkio-weight", "300", "busybox", "true"]);
  assert.equal(code, 0);
  assert.match(stderr, /does not support Block I\/O weight or the cgroup is not mounted\. Weight discarded/);
});

test("a resource limit above this process's own is lowered, and the user and the log are told", async () => {
  const { hard, mayRaise } = detectLimits();
  const own = hard.get(rlimits.RLIMIT_NOFILE ?? -1) ?? 0n;
  const wish = own < 1_000_000n ? own + 1n : own;
  const options = ["run", "--rm", "--name", "lowered", "--ulimit", `nofile=${wish}`];
  const { code, stdout, stderr } = await daemon.docker([...options, "busybox", "sh", "-c", "ulimit -Hn"]);
  assert.equal(code, 0, stderr);
  const lowered = wish > own && !mayRaise;
  assert.equal(stdout.trim(), String(lowered ? own : wish));
  const warning = /WARNING: RLIMIT_NOFILE lowered to \d+: raising hard limits needs CAP_SYS_RESOURCE/;
  assert.equal(warning.test(stderr), lowered, stderr);
  assert.equal(/level=warn .*RLIMIT_NOFILE lowered.*container=lowered/.test(daemon.log), lowered, daemon.log);
  const foo = await call(daemon.socket, "POST", "/containers/create", {
    Image: "busybox",
    HostConfig: { Ulimits: [{ Name: "foo", Soft: 1, Hard: 1 }] },
  });
  assert.deepEqual([foo.status, message(foo)], [400, "invalid ulimit type: foo"]);
});

test("berth cgroup: groups without containers", async () => {
  const group = `${daemon.cgroupParent}/people`;
  const made = await daemon.berth(["cgroup", "create", group, "-m", "32m", "--pid", `${daemon.pid}`]);
  assert.deepEqual(made, { code: 0, stdout: `/${group}\n`, stderr: "" });
  const shown = await daemon.berth(["cgroup", "show", group]);
  assert.match(shown.stdout, /^Memory: .* \/ 32MiB$/m);
  assert.match(shown.stdout, new RegExp(`${daemon.pid} .*daemon`));
  const tree = await daemon.berth(["cgroup", "ls", daemon.cgroupParent]);
  assert.match(tree.stdout, /─ people +\d+ +.* \/ 32MiB/);
  assert.equal((await daemon.berth(["cgroup", "rm", group])).code, 1);
  assert.equal((await daemon.berth(["cgroup", "set", "/", "--pid", `${daemon.pid}`])).code, 0);
  assert.equal((await daemon.berth(["cgroup", "rm", group])).code, 0);
  for (const tree of ["", "memory"]) assert.ok(!existsSync(join("/sys/fs/cgroup", tree, group)));
  const owned = await daemon.berth(["cgroup", "rm", "-f", daemon.cgroupParent]);
  assert.match(owned.stderr, /is in use by container/);
});

test("a container that may divide its group cannot lift its limits", async () => {
  const divide =
    "cd /sys/fs/cgroup; [ -d memory ] && cd memory; mkdir inner && echo 0 > inner/cgroup.procs && grep -c inner /proc/self/cgroup;" +
    " for f in memory.limit_in_bytes memory.max; do [ ! -e $f ] || echo 9999999999 > $f; done";
  const options = ["--security-opt", "writable-cgroups=true", "-m", "64m"];
  const { stdout, stderr } = await daemon.docker(["run", "--rm", ...options, "busybox", "sh", "-c", divide]);
  assert.notEqual(stdout.trim(), "0", stderr);
  assert.match(stderr, /can't create memory\.\w+: Permission denied/);
});
