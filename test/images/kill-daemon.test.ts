// kill -9 of the daemon at random moments while containers are committed and images pruned.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { patience, TestDaemon } from "../support/daemon.ts";

const KILLS = 10;
const FILES = 400;

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("kill");
});
after(() => daemon.end());

/** All is sound, and nothing is there that belongs to no image. */
async function check(): Promise<void> {
  const { code, stdout, stderr } = await daemon.berth(["system", "check"]);
  assert.equal(code, 0, stdout + stderr);
  const layers = Number(/ (\d+) layers/.exec(stdout)?.[1]);
  // The sweep of what the last one left goes on in the background.
  const kept = (): string[] =>
    readdirSync(join(daemon.dataRoot, "layers")).filter((name) => /^\d+$/.test(name));
  for (let tries = 0; tries < 100 && kept().length > layers; tries++) await sleep(50);
  assert.equal(kept().length, layers);
}

test(`${KILLS} kills while containers are committed and images pruned`, { timeout: 300_000 }, async () => {
  const script = `for i in $(seq ${FILES}); do echo $i > /f$i; done; head -c 3000000 /dev/urandom > /large`;
  await daemon.ok(["run", "--name", "source", "busybox", "sh", "-c", script]);
  let committed = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    let over = false;
    const work = (async () => {
      for (let round = 0; !over; round++) {
        const { code } = await daemon.docker([
          "commit",
          "-m",
          `${kill} ${round}`,
          "source",
          `made:${round % 2}`,
        ]);
        if (code === 0) committed++;
        if (round % 2 === 1) await daemon.docker(["image", "prune", "-f"]);
      }
    })();
    await sleep(randomInt(20, 700) * patience);
    over = true;
    await daemon.down("SIGKILL");
    await work;
    await daemon.up();
    await check();
    // Every image with a name is whole.
    for (const name of (await daemon.ok(["images", "-q", "made"])).split("\n").filter(Boolean)) {
      const seen = await daemon.ok([
        "run",
        "--rm",
        "--network",
        "none",
        name,
        "sh",
        "-c",
        "ls /f* | wc -l; wc -c < /large",
      ]);
      assert.deepEqual(seen.split("\n"), [String(FILES), "3000000"]);
    }
  }
  assert.ok(committed > 0, "nothing was ever committed");
  await daemon.ok(["rm", "source"]);
  await daemon.ok(["image", "prune", "-af"]);
  await check();
  console.log(`# ${committed} commits came through`);
});
