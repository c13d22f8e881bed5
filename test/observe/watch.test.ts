// docker stats, top, update and events.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
let id = "";
before(async () => {
  daemon = await TestDaemon.start("watch");
  id = await daemon.ok(["run", "-d", "--name", "box", "-m", "64m", "busybox", "sh", "-c", "sleep 1000"]);
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** The docker CLI makes whole seconds of "0s". */
const now = (later = 0): string => (Date.now() / 1000 + later).toFixed(3);

const limit = (controller: string, file: string): string =>
  readFileSync(`/sys/fs/cgroup/${controller}/${daemon.cgroupParent}/${id}/${file}`, "utf8").trim();

test("stats: a reading, a stream, and zeros for what does not run", async () => {
  await daemon.ok(["create", "--name", "idle", "busybox", "true"]);
  const format = "{{.Name}} {{.PIDs}} {{.MemUsage}} {{.NetIO}}";
  const line = await daemon.ok(["stats", "--no-stream", "--format", format, "box"]);
  assert.match(line, /^box 1 \d+(\.\d+)?[KM]iB \/ 64MiB [\d.]+k?B \/ [\d.]+k?B$/);
  assert.equal(
    await daemon.ok(["stats", "--no-stream", "--format", format, "idle"]),
    "idle 0 0B / 0B 0B / 0B",
  );
  const busy = await daemon.ok(["run", "-d", "busybox", "sh", "-c", "while :; do :; done"]);
  const cpu = await daemon.ok(["stats", "--no-stream", "--format", "{{.CPUPerc}}", busy]);
  assert.ok(Number.parseFloat(cpu) > 5, cpu);
  await daemon.ok(["rm", "-f", busy, "idle"]);
  const missing = await daemon.docker(["stats", "--no-stream", "nobody"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /No such container: nobody/);
});

test("top: ps of the container's processes alone, with the users it knows", async () => {
  const lines = (await daemon.ok(["top", "box"])).split("\n");
  assert.match(lines[0] ?? "", /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? "", /^root +\d+ +\d+ .* sleep 1000$/);
  assert.match(await daemon.ok(["top", "box", "-o", "pid,user,uid,comm"]), /\n\d+ +root +0 +sleep$/);
  assert.equal((await daemon.ok(["top", "box", "aux"])).split("\n").length, 2);
  const refused: [string[], RegExp][] = [
    [["-o", "cmd"], /Couldn't find PID field in ps output/],
    [["-o", "foo"], /ps: error: unknown user-defined format specifier "foo"/],
    [["-o", "pid=PID", "-o", "ppid=PID"], /specifying "ppid=PID" is not allowed/],
  ];
  for (const [args, message] of refused) {
    const { code, stderr } = await daemon.docker(["top", "box", ...args]);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  const created = await daemon.ok(["create", "busybox", "true"]);
  assert.match(
    (await daemon.docker(["top", created])).stderr,
    new RegExp(`Container ${created} is not running`),
  );
});

test("update: limits reach the kernel, and what it refuses changes nothing", async () => {
  assert.equal(
    await daemon.ok([
      "update",
      "-m",
      "128m",
      "--memory-swap",
      "256m",
      "--cpus",
      "0.5",
      "--pids-limit",
      "50",
      "box",
    ]),
    "box",
  );
  assert.equal(limit("memory", "memory.limit_in_bytes"), String(128 << 20));
  assert.equal(limit("memory", "memory.memsw.limit_in_bytes"), String(256 << 20));
  assert.equal(limit("cpu", "cpu.cfs_quota_us"), "50000");
  assert.equal(limit("pids", "pids.max"), "50");
  await daemon.ok(["update", "--cpuset-cpus", "0", "--pids-limit", "-1", "box"]);
  assert.equal(limit("cpuset", "cpuset.cpus"), "0");
  assert.equal(limit("pids", "pids.max"), "max");
  const refused: [string[], RegExp][] = [
    [["-m", "300m"], /smaller than already set memoryswap limit, update the memoryswap at the same time/],
    [["-m", "1k"], /Minimum memory limit allowed is 6MB/],
    [["--memory-swap", "64m"], /failed to write "67108864": write .*memsw.limit_in_bytes: invalid argument/],
    [["--cpu-quota", "5000"], /CPU Quota cannot be updated as NanoCPUs has already been set/],
    [["--cpuset-cpus", "4096"], /Requested CPUs are not available - requested 4096/],
  ];
  for (const [args, message] of refused) {
    const { code, stderr } = await daemon.docker(["update", ...args, "box"]);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  const fields =
    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
  const kept = `${128 << 20} ${256 << 20} 500000000 0`;
  assert.equal(await daemon.ok(["inspect", "-f", fields, "box"]), kept);
  assert.equal(limit("memory", "memory.memsw.limit_in_bytes"), String(256 << 20));
  await daemon.down();
  await daemon.up();
  assert.equal(await daemon.ok(["inspect", "-f", fields, "box"]), kept);
  // A container that does not run gets its limits with the next start.
  await daemon.ok(["kill", "box"]);
  await daemon.ok(["update", "--memory", "32m", "--memory-swap", "32m", "--restart", "on-failure:3", "box"]);
  await daemon.ok(["start", "box"]);
  assert.equal(limit("memory", "memory.memsw.limit_in_bytes"), String(32 << 20));
  assert.equal(
    await daemon.ok(["inspect", "-f", "{{json .HostConfig.RestartPolicy}}", "box"]),
    '{"Name":"on-failure","MaximumRetryCount":3}',
  );
});

test("events: replayed, filtered, live", async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1);
  const other = await daemon.ok(["run", "--rm", "--name", "brief", "--label", "team=a", "busybox", "true"]);
  assert.equal(other, "");
  const events = async (...filters: string[]): Promise<string[]> => {
    const chosen = filters.flatMap((filter) => ["--filter", filter]);
    const format = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}";
    const text = await daemon.ok([
      "events",
      "--since",
      since,
      "--until",
      now(),
      "--format",
      format,
      ...chosen,
    ]);
    return text === "" ? [] : text.split("\n");
  };
  const life = ["create", "attach", "start", "die", "destroy"].map((action) => `container ${action} brief`);
  await until("it is gone", async () => (await events("container=brief")).length === life.length);
  assert.deepEqual(await events("container=brief"), life);
  assert.deepEqual(await events("container=brief", "event=die", "event=start"), [life[2], life[3]]);
  assert.deepEqual(await events("label=team=a"), life);
  assert.deepEqual(await events("label=team=b"), []);
  assert.deepEqual(await events("image=busybox", "container=bri", "event=create"), [life[0]]);
  assert.deepEqual(await events("type=image"), []);
  await daemon.ok(["exec", "box", "true"]);
  assert.deepEqual(
    (await events("event=exec_start", "event=exec_create")).map((line) => line.split(":")[0]),
    ["container exec_create", "container exec_start"],
  );
  const live = daemon.docker([
    "events",
    "--until",
    now(2),
    "--filter",
    "event=pause",
    "--format",
    "{{.Action}} {{.ID}}",
  ]);
  await until(
    "someone listens",
    async () => (await daemon.ok(["info", "-f", "{{.NEventsListener}}"])) !== "0",
  );
  await daemon.ok(["pause", "box"]);
  await daemon.ok(["unpause", "box"]);
  assert.equal((await live).stdout, `pause ${id}\n`);
  const wrong = await daemon.docker(["events", "--since", "0s", "--until", "10m"]);
  assert.match(wrong.stderr, /`since` time \(.*\) cannot be after `until` time/);
});
