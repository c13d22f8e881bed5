// Kills the daemon, the launcher and shims at random moments of many lives. Afterwards every container
// either runs and obeys or has rightly ended, and nothing is left of the rest.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { patience, TestDaemon, until } from "../support/daemon.ts";

const LIVES = Math.ceil(200 / patience);
/** Lives that go on while the killing does. */
const AT_ONCE = 4;
const SURVIVORS = 3;

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("crash");
});
after(() => daemon.end());

/** The launcher's and the shims' processes: descendants by the directory their command line names. */
function nativeProcesses(): { pid: number; parent: number }[] {
  const found: { pid: number; parent: number }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = readFileSync(join("/proc", name, "cmdline"), "utf8");
      if (!command.includes(daemon.execRoot) || command.includes("daemon\0")) continue;
      const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(join("/proc", name, "status"), "utf8"))?.[1]);
      found.push({ pid: Number(name), parent });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

const pick = <T>(list: T[]): T | undefined => list[randomInt(Math.max(1, list.length))];

async function killSomething(): Promise<string> {
  const target = pick(["daemon", "launcher", "shim"]) ?? "daemon";
  if (target !== "daemon") {
    const victims = nativeProcesses().filter(
      ({ parent }) => (parent === daemon.pid) === (target === "launcher"),
    );
    const victim = pick(victims);
    if (victim) {
      try {
        process.kill(victim.pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    return target;
  }
  await daemon.down("SIGKILL");
  await daemon.up();
  return target;
}

test(`${LIVES} lives under random kill -9`, { timeout: 600_000 }, async () => {
  const survivors = await startSurvivors();
  let lives = 0;
  const live = async (): Promise<void> => {
    while (lives < LIVES) {
      const life = lives++;
      const name = `life-${life}`;
      // Any of these may fail when its daemon is killed under it; what counts is what stays.
      await daemon.docker([
        "run",
        "--network",
        "none",
        "--name",
        name,
        "busybox",
        "sh",
        "-c",
        `echo ${life}; exit 3`,
      ]);
      await daemon.docker(["rm", "-f", name]);
    }
  };
  let over = false;
  const kills = new Map<string, number>();
  const killer = (async () => {
    while (!over) {
      await sleep(randomInt(20, 250) * patience);
      const target = await killSomething();
      kills.set(target, (kills.get(target) ?? 0) + 1);
    }
  })();
  await Promise.all(Array.from({ length: AT_ONCE }, live));
  over = true;
  await killer;
  console.log(`# killed: ${[...kills].map(([target, count]) => `${count} ${target}`).join(", ")}`);

  await daemon.down("SIGKILL");
  await daemon.up();
  await checkAll(survivors);
  const alive = await checkSurvivors(survivors);
  const ids = (await daemon.ok(["ps", "-aq", "--no-trunc"])).split("\n").filter(Boolean);
  await daemon.ok(["rm", "-f", ...ids]);
  await until("nothing is left", () => daemon.leftovers().length === 0 && nativeProcesses().length <= 1);
  console.log(`# ${alive} of ${SURVIVORS} long-lived containers were spared by the killing of shims`);
});

async function startSurvivors(): Promise<string[]> {
  const script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done";
  return Promise.all(
    Array.from({ length: SURVIVORS }, () =>
      daemon.ok(["run", "-d", "--network", "none", "busybox", "sh", "-c", script]),
    ),
  );
}

const stateOf = async (id: string): Promise<string[]> =>
  (await daemon.ok(["inspect", "-f", "{{.State.Status}} {{.State.Pid}} {{.State.ExitCode}}", id])).split(" ");

/** Every container's state agrees with its processes. */
async function checkAll(survivors: string[]): Promise<void> {
  const ids = (await daemon.ok(["ps", "-aq", "--no-trunc"])).split("\n").filter(Boolean);
  for (const id of ids) {
    // A life that was cut off between start and attach may still be ending.
    if (!survivors.includes(id)) await until(`${id} ends`, async () => (await stateOf(id))[0] !== "running");
    const [status, pid, code] = await stateOf(id);
    if (status === "running") {
      process.kill(Number(pid), 0);
      assert.equal(await daemon.ok(["exec", id, "echo", "obeys"]), "obeys");
    } else {
      assert.equal(pid, "0", `${id} is ${status} and has no process`);
      assert.ok(["0", "3", "127", "128", "137", "143"].includes(code ?? ""), `${id}: exit code ${code}`);
    }
  }
  assert.deepEqual(daemon.leftovers(ids), []);
}

/** Logs of those that lived through all of it have every line, in order. */
async function checkSurvivors(survivors: string[]): Promise<number> {
  let alive = 0;
  for (const id of survivors) {
    if ((await daemon.ok(["inspect", "-f", "{{.State.Status}}", id])) !== "running") continue;
    alive++;
    const lines = (await daemon.ok(["logs", id])).split("\n");
    lines.forEach((line, index) => {
      assert.equal(line, `line ${index + 1}`);
    });
    await daemon.ok(["stop", "-t", "1", id]);
    assert.equal(await daemon.ok(["inspect", "-f", "{{.State.ExitCode}}", id]), "137");
  }
  return alive;
}
