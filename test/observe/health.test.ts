// Health checks, through all their states.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Health } from "@docker/node-sdk";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("health");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (...options: string[]): Promise<string> =>
  daemon.ok(["run", "-d", ...options, "busybox", "sleep", "1000"]);

async function health(id: string): Promise<Health> {
  return JSON.parse(await daemon.ok(["inspect", "-f", "{{json .State.Health}}", id])) as Health;
}

const becomes = (id: string, status: string): Promise<void> =>
  until(`${status}`, async () => (await health(id)).Status === status);

test("starting, healthy, unhealthy, and healthy again", async () => {
  const check = "test -e /ok && echo good || { echo bad >&2; exit 3; }";
  const id = await run("--health-cmd", check, "--health-interval", "200ms", "--health-retries", "2");
  assert.deepEqual(await health(id), { Status: "starting", FailingStreak: 0, Log: [] });
  assert.match(
    await daemon.ok(["ps", "--format", "{{.Status}}", "--filter", `id=${id}`]),
    /\(health: starting\)$/,
  );
  await becomes(id, "unhealthy");
  const failed = await health(id);
  assert.ok((failed.FailingStreak ?? 0) >= 2);
  assert.deepEqual([failed.Log?.[0]?.ExitCode, failed.Log?.[0]?.Output], [3, "bad\n"]);
  await daemon.ok(["exec", id, "touch", "/ok"]);
  await becomes(id, "healthy");
  await until("five results", async () => (await health(id)).Log?.length === 5);
  assert.equal((await health(id)).FailingStreak, 0);
  assert.match(
    await daemon.ok(["ps", "--format", "{{.Status}}", "--filter", "health=healthy"]),
    /\(healthy\)$/,
  );
  // A new daemon goes on where the old one stopped.
  await daemon.down();
  await daemon.up();
  assert.equal((await health(id)).Status, "healthy");
  await daemon.ok(["exec", id, "rm", "/ok"]);
  await becomes(id, "unhealthy");
  const actions = await daemon.ok([
    ...[
      "events",
      "--since",
      "1h",
      "--until",
      (Date.now() / 1000).toFixed(3),
      "--filter",
      "event=health_status",
    ],
    ...["--filter", `container=${id}`, "--format", "{{.Action}}"],
  ]);
  assert.match(actions, /^health_status: unhealthy$/);
  await daemon.ok(["kill", id]);
  assert.equal((await health(id)).Status, "unhealthy");
  await daemon.ok(["start", id]);
  assert.equal((await health(id)).Status, "starting");
  await daemon.ok(["rm", "-f", id]);
});

test("a check that takes too long is killed", async () => {
  const id = await run(
    "--health-cmd",
    "echo begun; sleep 77",
    "--health-interval",
    "100ms",
    "--health-timeout",
    "300ms",
    "--health-retries",
    "1",
  );
  await becomes(id, "unhealthy");
  const { Log } = await health(id);
  assert.deepEqual(
    [Log?.[0]?.ExitCode, Log?.[0]?.Output],
    [-1, "Health check exceeded timeout (300ms): begun\n"],
  );
  await sleep(300);
  const sleeping = (await daemon.ok(["top", id, "-o", "pid,args"]))
    .split("\n")
    .filter((line) => line.includes("sleep 77"));
  assert.ok(sleeping.length <= 1, "checks pile up");
  await daemon.ok(["rm", "-f", id]);
});

test("failures in the start period do not count, output is cut", async () => {
  const id = await run(
    ...["--health-cmd", "head -c 5000 /dev/zero | tr '\\0' x; false", "--health-interval", "100ms"],
    ...["--health-start-interval", "100ms", "--health-start-period", "1500ms", "--health-retries", "1"],
  );
  await until("two results", async () => ((await health(id)).Log?.length ?? 0) >= 2);
  const { Status, FailingStreak, Log } = await health(id);
  assert.deepEqual([Status, FailingStreak], ["starting", 0]);
  assert.equal(Log?.[0]?.Output, `${"x".repeat(4096)}...`);
  await becomes(id, "unhealthy");
  await daemon.ok(["rm", "-f", id]);
});

test("commands that are not there, no check, checks that cannot be", async () => {
  const id = await run(
    "--health-cmd",
    "no-such-program",
    "--health-interval",
    "100ms",
    "--health-retries",
    "1",
  );
  await becomes(id, "unhealthy");
  assert.equal((await health(id)).Log?.[0]?.ExitCode, 127);
  await daemon.ok(["rm", "-f", id]);
  const none = await run("--no-healthcheck");
  assert.equal(await daemon.ok(["inspect", "-f", "{{json .State.Health}}", none]), "null");
  await daemon.ok(["rm", "-f", none]);
  const wrong = await daemon.docker([
    "create",
    "--health-cmd",
    "true",
    "--health-interval",
    "10us",
    "busybox",
  ]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /Interval in Healthcheck cannot be less than 1ms/);
});

test("a paused container is not probed", async () => {
  const id = await run("--health-cmd", "true", "--health-interval", "100ms");
  await becomes(id, "healthy");
  await daemon.ok(["pause", id]);
  const { Log } = await health(id);
  await sleep(400);
  assert.deepEqual((await health(id)).Log, Log);
  await daemon.ok(["unpause", id]);
  await becomes(id, "healthy");
  await daemon.ok(["rm", "-f", id]);
});

test("a label has an unhealthy container restarted", async () => {
  const id = await run(
    ...["--label", "berth.restart-on-unhealthy=true", "--stop-signal", "KILL"],
    ...["--health-cmd", "test ! -e /bad", "--health-interval", "100ms", "--health-retries", "1"],
  );
  await becomes(id, "healthy");
  const started = await daemon.ok(["inspect", "-f", "{{.State.StartedAt}}", id]);
  await daemon.ok(["exec", id, "sh", "-c", "touch /bad"]);
  await until("it is restarted", async () => {
    const [now, status] = (
      await daemon.ok(["inspect", "-f", "{{.State.StartedAt}} {{.State.Status}}", id])
    ).split(" ");
    return now !== started && status === "running";
  });
  await daemon.ok(["rm", "-f", id]);
});
