import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readPid } from "../../src/runtime/shim/exit.ts";
import { canRun, Fixture } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

const shims = join(fixture.execRoot, "shims");
const random = (below: number) => Math.floor(Math.random() * below);

function killOne(): void {
  const [id] = readdirSync(shims).sort(() => Math.random() - 0.5);
  const victim = random(4) === 0 ? fixture.runtime.launcherPid : id && readPid(join(shims, id))?.shimPid;
  try {
    if (victim) process.kill(victim, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

test("every life ends rightly or is reported, while launchers and shims are killed", { skip }, async () => {
  const outcomes = { right: 0, failed: 0, lost: 0 };
  const left: number[] = [];
  let lives = 0;
  let over = false;
  const killer = (async () => {
    while (!over) {
      await delay(random(40));
      killOne();
    }
  })();
  const live = async () => {
    const code = random(50);
    const launch = fixture.launch(["sh", "-c", `sleep 0.0${random(9)}; exit ${code}`]);
    const shim = await fixture.runtime.start(launch).catch(() => null);
    if (!shim) {
      outcomes.failed++;
      return;
    }
    const status = await shim.exited.catch(() => null);
    if (status) assert.equal(status.exitCode, code);
    else left.push(shim.pid);
    outcomes[status ? "right" : "lost"]++;
    await shim.dispose();
  };
  await Promise.all(
    [1, 2, 3, 4].map(async () => {
      while (lives++ < 150) await live();
    }),
  );
  over = true;
  await killer;
  assert.ok(outcomes.right > 30, JSON.stringify(outcomes));
  assert.deepEqual(readdirSync(shims), []);
  // Processes whose shim was killed go on and end by themselves; nobody waits for ever.
  const runs = (pid: number) =>
    existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  await delay(500);
  assert.deepEqual(left.filter(runs), []);
});
