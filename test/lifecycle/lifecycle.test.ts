// A container's life with the real docker CLI: what it prints and how it exits.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";

/** A virtual machine takes seconds to start. */
const manyStarts =
  process.env.BERTH_TEST_ISOLATION === "hyperv" && "starts more virtual machines than fit a test";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("lifecycle");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const state = (name: string, field: string): Promise<string> =>
  daemon.ok(["inspect", "-f", `{{.State.${field}}}`, name]);

test("run prints the output and exits with the container's code", async () => {
  const result = await daemon.docker([
    "run",
    "--rm",
    "busybox",
    "sh",
    "-c",
    "echo out; echo err >&2; exit 7",
  ]);
  assert.deepEqual(result, { code: 7, stdout: "out\n", stderr: "err\n" });
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("run -i passes stdin and its end", async () => {
  const input = "line\n".repeat(100_000);
  const result = await daemon.docker(["run", "--rm", "-i", "busybox", "wc", "-l"], { input });
  assert.equal(result.stdout.trim(), "100000");
});

test("large output arrives whole", async () => {
  const { stdout } = await daemon.docker(["run", "--rm", "busybox", "seq", "1", "200000"]);
  assert.equal(stdout.trimEnd().split("\n").length, 200_000);
});

test("run -d prints the id; stop ends it by SIGTERM, kill by SIGKILL", async () => {
  const id = await daemon.ok([
    "run",
    "-d",
    "--name",
    "one",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done",
  ]);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(await state("one", "Status"), "running");
  // Before its trap it ignores the signal, as every first process does.
  await until("it is ready", async () => (await daemon.ok(["logs", "one"])) === "ready");
  assert.equal(await daemon.ok(["stop", "one"]), "one");
  assert.equal(await state("one", "ExitCode"), "5");
  await daemon.ok(["start", "one"]);
  await daemon.ok(["kill", "one"]);
  assert.equal(await daemon.ok(["wait", "one"]), "137");
  assert.equal(await daemon.ok(["rm", "one"]), "one");
});

test("start -a shows the output and exits with the code", async () => {
  await daemon.ok(["create", "--name", "again", "busybox", "sh", "-c", "echo hello; exit 4"]);
  const result = await daemon.docker(["start", "-a", "again"]);
  assert.deepEqual(result, { code: 4, stdout: "hello\n", stderr: "" });
  await daemon.ok(["rm", "again"]);
});

test("a command that is not there: 127, one that may not run: 126", async () => {
  const missing = await daemon.docker(["run", "--rm", "busybox", "no-such-command"]);
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /exec: "no-such-command": executable file not found in \$PATH/);
  const forbidden = await daemon.docker(["run", "--rm", "busybox", "/etc/passwd"]);
  assert.equal(forbidden.code, 126);
  assert.match(forbidden.stderr, /exec: "\/etc\/passwd": permission denied/);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("what is refused by the daemon exits 125", async () => {
  for (const args of [
    ["run", "--rm", "no-such-image"],
    ["run", "--rm", "--restart", "sometimes", "busybox"],
    ["run", "--rm", "--name", "!", "busybox"],
    ["run", "--rm", "--runtime", "nothing", "busybox"],
    ["run", "--rm", "--pid", "nowhere", "busybox"],
  ]) {
    const result = await daemon.docker(args);
    assert.equal(result.code, 125, `${args.join(" ")}: ${result.stderr}`);
  }
});

test("a name is taken once", async () => {
  const id = await daemon.ok(["create", "--name", "taken", "busybox"]);
  const { code, stderr } = await daemon.docker(["create", "--name", "taken", "busybox"]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`The container name "/taken" is already in use by container "${id}"`));
  await daemon.ok(["rename", "taken", "free"]);
  await daemon.ok(["create", "--name", "taken", "busybox"]);
  await daemon.ok(["rm", "taken", "free"]);
});

test("restart policies: on-failure counts, always goes on until stopped", { skip: manyStarts }, async () => {
  await daemon.ok(["run", "-d", "--name", "fails", "--restart", "on-failure:2", "busybox", "false"]);
  await until("two restarts", async () => (await state("fails", "Status")) === "exited");
  assert.equal(await daemon.ok(["inspect", "-f", "{{.RestartCount}}", "fails"]), "2");
  await daemon.ok(["run", "-d", "--name", "always", "--restart", "always", "busybox", "true"]);
  await until(
    "a restart",
    async () => Number(await daemon.ok(["inspect", "-f", "{{.RestartCount}}", "always"])) > 1,
  );
  await daemon.ok(["stop", "always"]);
  assert.equal(await state("always", "Status"), "exited");
  await daemon.ok(["rm", "fails", "always"]);
});

test("resolv.conf without a network: what is given, else the host's; a dot is no search list", async () => {
  const shown = async (...options: string[]): Promise<string[]> => {
    const all = ["run", "--rm", "--network", "none", ...options, "busybox", "cat", "/etc/resolv.conf"];
    return (await daemon.ok(all)).split("\n").filter((line) => !line.startsWith("#"));
  };
  const [name = "", ...rest] = (await shown()).filter((line) => line.startsWith("nameserver"));
  const servers = name === "" ? [] : [name, ...rest];
  assert.deepEqual(
    (await shown("--dns-search", ".")).filter((line) => !line.startsWith("options")),
    servers.length > 0 ? servers : [""],
  );
  const given = ["--dns", "1.2.3.4", "--dns-search", "a.b", "--dns-option", "ndots:3"];
  assert.deepEqual(await shown(...given), ["search a.b", "nameserver 1.2.3.4", "options ndots:3"]);
});

/** Starts a container that ends by HUP with 7 and by TERM with 6. */
async function trapping(name: string, ...options: string[]): Promise<void> {
  const script = 'trap "exit 7" HUP; trap "exit 6" TERM; echo ready; while :; do sleep 0.1; done';
  const all = ["-d", "--name", name, "--network", "none", ...options, "busybox", "sh", "-c", script];
  await daemon.ok(["run", ...all]);
  await until("it is ready", async () => (await daemon.ok(["logs", name])) === "ready");
}

test("a signal lets a paused container go on if it may stop it; only another does not", async () => {
  await trapping("plain");
  await trapping("own", "--stop-signal", "TERM");
  await daemon.ok(["pause", "plain", "own"]);
  await daemon.ok(["kill", "-s", "WINCH", "plain", "own"]);
  assert.equal(await state("plain", "Status"), "running");
  assert.equal(await state("own", "Status"), "paused");
  await daemon.ok(["kill", "-s", "TERM", "own"]);
  assert.equal(await daemon.ok(["wait", "own"]), "6");
  await daemon.ok(["rm", "-f", "plain", "own"]);
});

test("who ends by a signal of a user's is not started again, unless it has a stop signal and that is another", async () => {
  await trapping("plain", "--restart", "always");
  await trapping("own", "--restart", "always", "--stop-signal", "TERM");
  await daemon.ok(["kill", "-s", "HUP", "plain", "own"]);
  assert.equal(await daemon.ok(["wait", "plain"]), "7");
  await until(
    "it is started again",
    async () => (await daemon.ok(["inspect", "-f", "{{.RestartCount}}", "own"])) === "1",
  );
  assert.equal(await state("plain", "Status"), "exited");
  await daemon.ok(["rm", "-f", "plain", "own"]);
});

test("the host's network and none are no networks among others", async () => {
  // A virtual machine is in the host's network never.
  const hosts = [
    ["host", "bridge"],
    ["bridge", "host"],
  ] as const;
  const alone = /cannot be (connected to multiple networks|disconnected from host network)/;
  for (const [first, second] of [
    ["none", "host"],
    ["bridge", "none"],
    ...(manyStarts ? [] : hosts),
  ] as const) {
    const both = ["--network", first, "--network", second];
    const { code, stderr } = await daemon.docker(["run", "--rm", ...both, "busybox", "true"]);
    assert.deepEqual([code, alone.test(stderr)], [125, true], `${both} ${stderr}`);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("an exec with keys that are none is refused before it starts", async () => {
  const id = await daemon.ok(["run", "-d", "busybox", "sleep", "600"]);
  const { code, stderr } = await daemon.docker(["exec", "--detach-keys", "bad,keys", id, "true"]);
  assert.deepEqual(
    [code, stderr.trim()],
    [1, "Error response from daemon: Invalid escape keys (bad,keys) provided"],
  );
  await daemon.ok(["rm", "-f", id]);
});

test("pause stops and unpause goes on", async () => {
  await daemon.ok(["run", "-d", "--name", "paused", "busybox", "sleep", "100"]);
  await daemon.ok(["pause", "paused"]);
  assert.equal(await state("paused", "Status"), "paused");
  const exec = await daemon.docker(["exec", "paused", "true"]);
  assert.match(exec.stderr, /is paused, unpause the container before exec/);
  await daemon.ok(["unpause", "paused"]);
  assert.equal(await daemon.ok(["exec", "paused", "echo", "on"]), "on");
  await daemon.ok(["rm", "-f", "paused"]);
});

test("a daemon's stop leaves containers running, its start finds them", async () => {
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "stays",
    "busybox",
    "sh",
    "-c",
    "while :; do echo tick; sleep 0.1; done",
  ]);
  const pid = await state("stays", "Pid");
  await daemon.ok(["run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 0.3; exit 9"]);
  await daemon.down();
  await new Promise((done) => setTimeout(done, 500));
  await daemon.up();
  assert.equal(await state("stays", "Pid"), pid);
  assert.equal(await daemon.ok(["exec", "stays", "echo", "there"]), "there");
  assert.equal(await state("ends", "ExitCode"), "9");
  await daemon.ok(["rm", "-f", "stays", "ends"]);
});

test("--cidfile, --init, --stop-signal and labels", async () => {
  const cidfile = `${daemon.directory}/cid`;
  const id = await daemon.ok([
    "run",
    "-d",
    "--cidfile",
    cidfile,
    "--init",
    "--stop-signal",
    "USR1",
    "-l",
    "a=b",
    "busybox",
    "sleep",
    "100",
  ]);
  assert.equal(
    await daemon.ok(["inspect", "-f", "{{.Config.StopSignal}} {{.Config.Labels.a}}", id]),
    "USR1 b",
  );
  assert.equal(await daemon.ok(["ps", "-q", "--no-trunc", "-f", "label=a=b"]), id);
  assert.match(await daemon.ok(["exec", id, "ps"]), /^\s*1 root .*init/m);
  await daemon.ok(["stop", id]);
  assert.equal(await state(id, "ExitCode"), "138");
  await daemon.ok(["rm", id]);
});

test("a restart keeps a --rm container", async () => {
  const id = await daemon.ok(["run", "-d", "--rm", "busybox", "sleep", "1000"]);
  await daemon.ok(["restart", "-t", "0", id]);
  assert.equal(
    await daemon.ok(["inspect", "-f", "{{.State.Status}} {{.HostConfig.AutoRemove}}", id]),
    "running true",
  );
  await daemon.ok(["kill", id]);
  await until("it is gone", async () => (await daemon.docker(["inspect", id])).code === 1);
});

test("a stop holds, whatever moment of a restart it meets", { skip: manyStarts }, async () => {
  for (let round = 0; round < 12; round++) {
    await daemon.ok(["run", "-d", "--name", "again", "--restart", "always", "busybox", "true"]);
    await new Promise((done) => setTimeout(done, 90 + 5 * round));
    await daemon.ok(["stop", "again"]);
    await new Promise((done) => setTimeout(done, 250));
    assert.equal(await state("again", "Status"), "exited", `round ${round}`);
    await daemon.ok(["rm", "again"]);
  }
});

test("a terminal that nothing has open for a while is there when it is opened again", async () => {
  const script = "echo early; exec <&- >&- 2>&-; sleep 0.5; echo late > /dev/console; exit 3";
  const { code, stdout } = await daemon.docker(["run", "--rm", "-t", "busybox", "sh", "-c", script]);
  assert.deepEqual([code, stdout], [3, "early\r\nlate\r\n"]);
  const background = "(sleep 0.2; echo from behind) & echo in front";
  const other = await daemon.docker(["run", "--rm", "-t", "busybox", "sh", "-c", background]);
  assert.deepEqual([other.code, other.stdout], [0, "in front\r\n"]);
});
