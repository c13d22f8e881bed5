// docker logs: both drivers, every option, rotation, following.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("logs");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const busybox = (options: string[], script: string): Promise<string> =>
  daemon.ok(["run", "-d", ...options, "busybox", "sh", "-c", script]);

/** A container that has written and ended. */
async function written(options: string[], script: string): Promise<string> {
  const id = await busybox(options, script);
  await daemon.ok(["wait", id]);
  return id;
}

const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join("");

for (const driver of ["json-file", "local"]) {
  test(`${driver}: streams, tail, details`, async () => {
    const id = await written(
      [
        "--log-driver",
        driver,
        ...(driver === "json-file" ? ["--log-opt", "labels=colour"] : []),
        "--label",
        "colour=red",
      ],
      "seq 1 20; sleep 0.1; echo err >&2",
    );
    assert.deepEqual(await daemon.docker(["logs", id]), { code: 0, stdout: numbers(1, 20), stderr: "err\n" });
    assert.deepEqual(await daemon.docker(["logs", "--tail", "3", id]), {
      code: 0,
      stdout: numbers(19, 20),
      stderr: "err\n",
    });
    assert.equal((await daemon.docker(["logs", "--tail", "0", id])).stdout, "");
    assert.equal((await daemon.docker(["logs", "--tail", "all", id])).stdout, numbers(1, 20));
    assert.equal((await daemon.docker(["logs", "--tail", "-1", id])).stdout, numbers(1, 20));
    if (driver === "json-file") {
      const { stdout } = await daemon.docker(["logs", "--details", "--tail", "2", id]);
      assert.equal(stdout, "colour=red 20\n");
    }
  });

  test(`${driver}: times choose lines and are shown with nine decimals`, async () => {
    const id = await written(["--log-driver", driver], "for i in 1 2 3 4; do echo $i; sleep 0.2; done");
    const lines = (await daemon.ok(["logs", "-t", id])).split("\n");
    assert.equal(lines.length, 4);
    const times = lines.map((line) => {
      const [, time, text] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (\d)$/.exec(line) ?? [];
      assert.ok(time && text, line);
      return time;
    });
    const [, second = "", third = ""] = times;
    assert.equal(await daemon.ok(["logs", "--since", second, id]), "2\n3\n4");
    assert.equal(await daemon.ok(["logs", "--since", second, "--until", third, id]), "2\n3");
    assert.equal(await daemon.ok(["logs", "--until", second, id]), "1\n2");
    assert.equal(await daemon.ok(["logs", "--since", "1h", "--tail", "1", id]), "4");
    assert.equal(await daemon.ok(["logs", "--since", "2100-01-01", id]), "");
  });

  test(`${driver}: rotation keeps the newest files, and tail and follow go through them`, async () => {
    const id = await busybox(
      ["--log-driver", driver, "--log-opt", "max-size=20k", "--log-opt", "max-file=3"],
      'seq 1 3000; while [ ! -e /more ]; do sleep 0.05; done; for i in 30 31 32 33 34 35 36 37 38 39; do seq "$i"01 $((i+1))00; sleep 0.05; done',
    );
    await until("all is logged", async () => (await daemon.ok(["logs", "--tail", "1", id])) === "3000");
    const kept = (await daemon.docker(["logs", id])).stdout;
    const first = Number(kept.split("\n")[0]);
    assert.ok(first > 1, "the oldest files are gone");
    assert.equal(kept, numbers(first, 3000));
    const tail = Math.min(900, 3000 - first);
    assert.equal((await daemon.docker(["logs", "--tail", `${tail}`, id])).stdout, numbers(3001 - tail, 3000));
    const following = daemon.docker(["logs", "-f", "--tail", "2", id]);
    await sleep(200);
    await daemon.ok(["exec", id, "touch", "/more"]);
    assert.equal((await following).stdout, numbers(2999, 4000));
    const directory = join(daemon.dataRoot, "containers", id, driver === "local" ? "local-logs" : "");
    const name = driver === "local" ? "container.log" : `${id}-json.log`;
    assert.ok(existsSync(join(directory, `${name}.2`)));
    assert.ok(!existsSync(join(directory, `${name}.3`)));
  });

  test(`${driver}: long lines come whole`, async () => {
    const id = await written(
      ["--log-driver", driver],
      "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end",
    );
    const { stdout } = await daemon.docker(["logs", id]);
    assert.equal(stdout, `${"x".repeat(100_000)}\nend\n`);
  });
}

test("following shows what comes and ends with the container", async () => {
  const id = await busybox([], "for i in 1 2 3; do echo $i; sleep 0.3; done");
  const started = Date.now();
  const { stdout, code } = await daemon.docker(["logs", "-f", id]);
  assert.deepEqual([code, stdout], [0, numbers(1, 3)]);
  assert.ok(Date.now() - started > 500);
  // Over already: everything at once.
  assert.equal((await daemon.docker(["logs", "-f", id])).stdout, numbers(1, 3));
  const created = await daemon.ok(["create", "busybox", "true"]);
  assert.equal((await daemon.docker(["logs", "-f", created], { timeout: 5000 })).stdout, "");
});

test("following a container that restarts ends with each run", async () => {
  const id = await busybox(["--restart", "always"], "echo run; sleep 1");
  const { stdout } = await daemon.docker(["logs", "-f", id], { timeout: 10_000 });
  assert.equal(stdout, "run\n");
  await daemon.ok(["rm", "-f", id]);
});

test("a follower that goes away is let go", async () => {
  const id = await busybox([], "while :; do echo x; sleep 0.05; done");
  const child = spawn("docker", ["-H", daemon.host, "logs", "-f", id], { stdio: "ignore" });
  await sleep(300);
  child.kill("SIGKILL");
  await sleep(100);
  const { stdout } = await daemon.docker(["logs", "--tail", "1", id]);
  assert.equal(stdout, "x\n");
  await daemon.ok(["rm", "-f", id]);
});

test("with a terminal the log is one raw stream", async () => {
  const id = await written(["-t"], "echo out; echo err >&2");
  assert.deepEqual(await daemon.docker(["logs", id]), { code: 0, stdout: "out\r\nerr\r\n", stderr: "" });
});

test("a restarted daemon goes on with the log, and none has none to read", async () => {
  const id = await busybox([], "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done");
  await until("it has begun", async () => (await daemon.ok(["logs", id])).split("\n").length > 5);
  await daemon.down();
  await sleep(400);
  await daemon.up();
  await until("it goes on", async () => (await daemon.ok(["logs", id])).split("\n").length > 20);
  await daemon.ok(["kill", id]);
  const lines = (await daemon.ok(["logs", id])).split("\n");
  assert.equal(`${lines.join("\n")}\n`, numbers(0, lines.length - 1));
  const silent = await busybox(["--log-driver", "none"], "echo lost");
  const { code, stderr } = await daemon.docker(["logs", silent]);
  assert.equal(code, 1);
  assert.match(stderr, /configured logging driver does not support reading/);
  assert.match((await daemon.docker(["logs", "nobody"])).stderr, /No such container: nobody/);
});
