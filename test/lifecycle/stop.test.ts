// Ends of the daemon that are no crash.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { berth, TestDaemon, until } from "../support/daemon.ts";
import { busyboxImage, dockerArchive } from "../support/images.ts";

const mounts = ({ directory }: TestDaemon): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(directory));

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

/** Field 5 of proc_pid_stat(5); the name before it may have spaces. */
const processGroup = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[2]);

test("a terminal's interrupt ends a daemon in order, and it alone", async () => {
  const daemon = new TestDaemon("terminal");
  const options = ["-H", daemon.host, "--data-root", daemon.dataRoot, "--exec-root", daemon.execRoot];
  // In a process group of its own, as a shell puts what it runs in the foreground.
  const child = spawn(berth, ["daemon", ...options, "--no-guest-templates"], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  after(() => child.kill());
  await until("the daemon listens", () => existsSync(daemon.socket));
  await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  await daemon.ok(["run", "--rm", "busybox", "true"]);
  const pid = child.pid ?? assert.fail();
  for (const helper of childrenOf(pid))
    assert.notEqual(processGroup(helper), pid, "a program that the daemon needs");
  process.kill(-pid, "SIGINT");
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(mounts(daemon), []);
  assert.deepEqual(daemon.leftovers(), []);
  rmSync(daemon.directory, { recursive: true, force: true });
});

test("a daemon that finds its records damaged says so and leaves nothing", async () => {
  const daemon = new TestDaemon("damaged");
  await daemon.up();
  await daemon.down();
  const database = new DatabaseSync(join(daemon.dataRoot, "berth.db"));
  database.exec(
    `INSERT INTO containers (id, name, record) VALUES ('one', 'one', '{"id":"one","name":"one"}')`,
  );
  database.close();
  await assert.rejects(daemon.up(), /the daemon ended at once/);
  assert.deepEqual(mounts(daemon), []);
  rmSync(daemon.directory, { recursive: true, force: true });
});
