// Lives under pressure: many at once, slow readers, signals, restarts of the daemon.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { berth, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("pressure");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const field = (name: string, format: string): Promise<string> => daemon.ok(["inspect", "-f", format, name]);
const start = (name: string, ...options: string[]): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, "--network", "none", ...options]);
const docker = (...args: string[]): ChildProcess =>
  spawn("docker", ["-H", daemon.host, ...args], { stdio: ["pipe", "pipe", "inherit"] });

test("twenty execs at once, each with its own output and code", async () => {
  await start("busy", "busybox", "sleep", "600");
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      daemon.docker(["exec", "-i", "busy", "sh", "-c", `cat; echo ${i}; exit ${i}`], { input: `in ${i}\n` }),
    ),
  );
  for (const [i, result] of results.entries())
    assert.deepEqual(result, { code: i, stdout: `in ${i}\n${i}\n`, stderr: "" });
  await daemon.ok(["rm", "-f", "busy"]);
});

test("several clients attached at once see all; the input of each arrives", async () => {
  await start("many", "-i", "busybox", "sh", "-c", "while read line; do echo got $line; done");
  const clients = Array.from({ length: 4 }, () => docker("attach", "many"));
  const seen = clients.map((client) => {
    let text = "";
    client.stdout?.on("data", (part: Buffer) => {
      text += part.toString();
    });
    return () => text;
  });
  await sleep(500);
  for (const [i, client] of clients.entries()) client.stdin?.write(`line${i}\n`);
  await until("everybody saw every line", () =>
    seen.every((text) => [0, 1, 2, 3].every((i) => text().includes(`got line${i}\n`))),
  );
  await daemon.ok(["rm", "-f", "many"]);
  for (const client of clients) client.kill();
});

test("fifty megabytes to a reader that pauses arrive whole", async () => {
  const client = docker(
    "run",
    "--rm",
    "--network",
    "none",
    "busybox",
    "sh",
    "-c",
    "yes 0123456789abcde | head -c 50000000",
  );
  let bytes = 0;
  let pauses = 0;
  for await (const part of client.stdout ?? []) {
    bytes += (part as Buffer).length;
    if (bytes / 5_000_000 > pauses && pauses < 10) {
      pauses++;
      await sleep(50);
    }
  }
  assert.equal(bytes, 50_000_000);
});

test("the end of input reaches the process while its output goes on", async () => {
  const script = "wc -c; sleep 0.2; echo after";
  const { stdout } = await daemon.docker(
    ["run", "--rm", "-i", "--network", "none", "busybox", "sh", "-c", script],
    {
      input: "x".repeat(300_000),
    },
  );
  assert.equal(stdout, "300000\nafter\n");
});

test("stop: 0 kills at once, -1 waits as long as it takes", async () => {
  const stubborn = ["busybox", "sh", "-c", "trap '' TERM; echo ready; sleep 600"];
  await start("stubborn", ...stubborn);
  await until("it ignores", async () => (await daemon.ok(["logs", "stubborn"])) === "ready");
  let begin = performance.now();
  await daemon.ok(["stop", "-t", "0", "stubborn"]);
  assert.ok(performance.now() - begin < 2000);
  assert.equal(await field("stubborn", "{{.State.ExitCode}}"), "137");
  await start(
    "patient",
    "busybox",
    "sh",
    "-c",
    "trap 'sleep 2; exit 3' TERM; echo ready; while :; do sleep 0.1; done",
  );
  await until("it waits", async () => (await daemon.ok(["logs", "patient"])) === "ready");
  begin = performance.now();
  await daemon.ok(["stop", "-t", "-1", "patient"]);
  assert.ok(performance.now() - begin > 1500);
  assert.equal(await field("patient", "{{.State.ExitCode}}"), "3");
  await daemon.ok(["rm", "stubborn", "patient"]);
});

test("signals by every form of name, and those that are none", async () => {
  const script =
    'for s in HUP INT USR1 USR2 WINCH; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.05; done';
  await start("signals", "busybox", "sh", "-c", script);
  await until("it listens", async () => (await daemon.ok(["logs", "signals"])) === "ready");
  for (const [given, name] of [
    ["HUP", "HUP"],
    ["SIGUSR1", "USR1"],
    ["sigusr2", "USR2"],
    ["2", "INT"],
    ["winch", "WINCH"],
  ] as const) {
    await daemon.ok(["kill", "-s", given, "signals"]);
    await until(`${given} arrived`, async () => (await daemon.ok(["logs", "signals"])).endsWith(name));
  }
  for (const given of ["RTMIN", "RTMIN+3", "RTMAX-2", "64", "CONT"]) {
    if (given === "CONT") await daemon.ok(["kill", "-s", given, "signals"]);
    else assert.notEqual((await daemon.docker(["kill", "-s", given, "signals"])).stderr, "no", given);
    if ((await field("signals", "{{.State.Running}}")) === "false") await daemon.ok(["start", "signals"]);
  }
  for (const given of ["0", "65", "FOO", "RTMAX+1"])
    assert.equal((await daemon.docker(["kill", "-s", given, "signals"])).code, 1, given);
  await daemon.ok(["rm", "-f", "signals"]);
});

test("limits of a running container change, also while it is paused", async () => {
  await start("limited", "-m", "64m", "busybox", "sleep", "600");
  await daemon.ok(["pause", "limited"]);
  await daemon.ok(["update", "-m", "128m", "--memory-swap", "128m", "--pids-limit", "33", "limited"]);
  await daemon.ok(["unpause", "limited"]);
  assert.equal(await field("limited", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}"), "134217728 33");
  await daemon.ok(["restart", "-t", "0", "limited"]);
  assert.equal(await field("limited", "{{.HostConfig.Memory}} {{.State.Status}}"), "134217728 running");
  await daemon.ok(["rm", "-f", "limited"]);
});

test("a fork bomb stays within its processes, and goes away with its container", async () => {
  const bomb = "bomb() { bomb | bomb & }; bomb; sleep 600";
  await start("bomb", "--pids-limit", "40", "busybox", "sh", "-c", bomb);
  await sleep(300);
  assert.equal(await daemon.ok(["run", "--rm", "--network", "none", "busybox", "echo", "calm"]), "calm");
  await daemon.ok(["rm", "-f", "bomb"]);
});

test("an exec outlives its client; the container's end is the end of its execs", async () => {
  await start("short", "busybox", "sleep", "600");
  const client = docker("exec", "short", "sleep", "300");
  await until("it runs", async () =>
    (await daemon.ok(["top", "short", "-o", "pid,args"])).includes("sleep 300"),
  );
  client.kill("SIGKILL");
  await sleep(200);
  assert.match(await daemon.ok(["top", "short", "-o", "pid,args"]), /sleep 300/);
  const other = daemon.docker(["exec", "short", "sleep", "301"]);
  await until("it runs", async () =>
    (await daemon.ok(["top", "short", "-o", "pid,args"])).includes("sleep 301"),
  );
  await daemon.ok(["kill", "short"]);
  assert.equal((await other).code, 137);
  await daemon.ok(["rm", "short"]);
});

test("a new daemon starts what its policies say, and execs where a peer has gone", async () => {
  await start("always", "--restart", "always", "busybox", "sleep", "600");
  await start("unless", "--restart", "unless-stopped", "busybox", "sleep", "600");
  await daemon.ok(["stop", "-t", "0", "always", "unless"]);
  await start("donor", "busybox", "sleep", "600");
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "joiner",
    "--network",
    "container:donor",
    "busybox",
    "sleep",
    "600",
  ]);
  await daemon.ok(["rm", "-f", "donor"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  await until("it is started again", async () => (await field("always", "{{.State.Status}}")) === "running");
  assert.equal(await field("unless", "{{.State.Status}}"), "exited");
  assert.equal(await daemon.ok(["exec", "joiner", "echo", "there"]), "there");
  await daemon.ok(["rm", "-f", "always", "unless", "joiner"]);
});

test("a start that fails leaves a --rm container nowhere, and one with a policy in peace", async () => {
  for (const command of ["/nope", "/etc/passwd"]) {
    const { code } = await daemon.docker(["run", "--rm", "--network", "none", "busybox", command]);
    assert.equal(code, command === "/nope" ? 127 : 126);
  }
  const { code } = await daemon.docker([
    "run",
    "--name",
    "never",
    "--restart",
    "always",
    "--network",
    "none",
    "busybox",
    "/nope",
  ]);
  assert.equal(code, 127);
  await sleep(500);
  assert.equal(await field("never", "{{.State.Status}} {{.RestartCount}}"), "created 0");
  await daemon.ok(["rm", "never"]);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("twenty lives at once leave nothing", async () => {
  const codes = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const { code } = await daemon.docker([
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        `exit ${i}`,
      ]);
      return code;
    }),
  );
  assert.deepEqual(codes, [...Array(20).keys()]);
  await until("all are gone", () => daemon.leftovers().length === 0);
});

test("a daemon whose log nobody reads any more goes on, and stops in order", async (t) => {
  const deaf = new TestDaemon("deaf");
  const files = ["--data-root", deaf.dataRoot, "--exec-root", deaf.execRoot];
  const process = spawn(berth, ["daemon", "-H", deaf.host, ...files, "--no-guest-templates"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => {
    process.kill("SIGKILL");
    rmSync(deaf.directory, { recursive: true, force: true });
  });
  await once(process.stderr, "data");
  await until("it answers", async () => (await deaf.docker(["version"])).code === 0);
  process.stderr.destroy();
  const ended = once(process, "exit");
  process.kill();
  assert.deepEqual(await ended, [0, null]);
});
