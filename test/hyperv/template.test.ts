// Templates: containers with --isolation=hyperv that go on from a machine which was booted already. What they have in
// common with those that boot is tested by the shared tests: BERTH_TEST_TEMPLATES=1 has those make a template.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Result, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
let template: string;

before(async () => {
  daemon = await TestDaemon.start("hyperv-template");
  template = await daemon.makeTemplate();
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const vm = (...args: string[]): Promise<Result> => daemon.berth(["vm", "template", ...args]);

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await vm(...args);
  assert.equal(code, 0, `vm template ${args.join(" ")}: ${stderr}\n${daemon.log}`);
  return stdout.trim();
}

const run = (...args: string[]): Promise<string> => daemon.ok(["run", "--rm", "--isolation=hyperv", ...args]);

/** Those that go on from one template have the same, those that boot each their own. */
const token = async (...flags: string[]): Promise<string> =>
  /berth\.token=(\w+)/.exec(await run(...flags, "busybox", "cat", "/proc/cmdline"))?.[1] ?? "none";

function savedToken(name: string): string {
  const file = join(daemon.dataRoot, "boot/templates", name, "template.json");
  return JSON.parse(readFileSync(file, "utf8")).token;
}

test("a template is there, once for each size", async () => {
  assert.deepEqual(daemon.leftovers(), []);
  assert.equal(await ok("ls", "-q"), template);
  assert.match(await ok("ls"), /1 +256MiB +\d+\.\d+\.\S+/);
  assert.equal(await daemon.makeTemplate("-m", "256m", "--cpus", "1"), template);
  assert.equal(await ok("ls", "-q"), template);
  const small = await vm("create", "-m", "32m");
  assert.match(small.stderr, /must be at least 96 MiB/);
});

test("containers of its size go on from it, others boot", async () => {
  const saved = savedToken(template);
  assert.equal(await token("--network", "none"), saved);
  assert.equal(await token(), saved);
  assert.equal(await token("--memory", "256m", "--cpus", "0.5"), saved);
  assert.notEqual(await token("--memory", "192m"), saved);
});

test("each has its own randomness, files, network and time", async () => {
  const bound = join(daemon.directory, "bound");
  await daemon.ok(["volume", "create", "kept"]);
  writeFileSync(bound, "bound\n");
  const script = [
    "head -c 16 /dev/urandom | od -An -tx1",
    "cat /proc/sys/kernel/random/boot_id",
    "date +%s",
    "hostname",
    "ip -4 -o addr show eth0",
  ].join("; ");
  const flags = ["-v", `${bound}:/bound:ro`, "-v", "kept:/kept"];
  const begun = Math.floor(Date.now() / 1000);
  const [one = [], two = []] = (
    await Promise.all([
      run(...flags, "-h", "first", "busybox", "sh", "-c", `${script}; cat /bound`),
      run(...flags, "-h", "second", "busybox", "sh", "-c", `${script}; echo x > /kept/x; cat /kept/x`),
    ])
  ).map((output) => output.split("\n"));
  assert.match(one[0] ?? "", /^([0-9a-f]{2} ?){16}$/);
  assert.notEqual(one[0], two[0], "the same random numbers");
  assert.match(one[1] ?? "", /^[0-9a-f-]{36}$/);
  assert.notEqual(one[1], two[1], "the same boot id");
  for (const time of [one[2], two[2]])
    assert.ok(Number(time) >= begun && Number(time) <= Date.now() / 1000 + 1, `${time} is not now`);
  assert.deepEqual([one[3], two[3]], ["first", "second"]);
  const addresses = [one, two].map((lines) => /inet (\S+)\//.exec(lines[4] ?? "")?.[1]);
  assert.notEqual(addresses[0], addresses[1]);
  assert.deepEqual([one[5], two[5]], ["bound", "x"]);
});

test("networks: none, several, and more than a template has room for", async () => {
  assert.equal(await run("--network", "none", "busybox", "ls", "/sys/class/net"), "lo");
  const networks = ["a", "b", "c", "d", "e"];
  for (const name of networks) await daemon.ok(["network", "create", name]);
  const flags = networks.flatMap((name) => ["--network", name]);
  const look = ["busybox", "sh", "-c", "ls /sys/class/net; cat /proc/cmdline"];
  const four = await run(...flags.slice(0, -2), ...look);
  assert.match(four, /^eth0\neth1\neth2\neth3\nlo\n/);
  assert.ok(four.includes(savedToken(template)));
  const five = await run(...flags, ...look);
  assert.match(five, /^eth0\neth1\neth2\neth3\neth4\nlo\n/);
  assert.ok(!five.includes(savedToken(template)));
  for (const name of networks) await daemon.ok(["network", "rm", name]);
});

test("ports, exec, pause, update, stats, a new daemon, stop and start again", async () => {
  const flags = ["-p", "127.0.0.1::80", "--name", "box", "--isolation=hyperv"];
  await daemon.ok(["run", "-d", ...flags, "busybox", "httpd", "-f", "-p", "80", "-h", "/bin"]);
  const served = (): Promise<void> =>
    until("the file is served", async () => {
      const response = await fetch(`http://${await daemon.ok(["port", "box", "80"])}/busybox`).catch(
        () => null,
      );
      return ((await response?.arrayBuffer())?.byteLength ?? 0) > 100_000;
    });
  await served();
  assert.equal(await daemon.ok(["exec", "box", "echo", "inside"]), "inside");
  await daemon.ok(["pause", "box"]);
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Status}}", "box"]), "paused");
  await daemon.ok(["unpause", "box"]);
  await daemon.ok(["update", "--memory", "200m", "--memory-swap", "-1", "box"]);
  await until("the guest has given memory back", async () => {
    const total = await daemon.ok(["exec", "box", "grep", "MemTotal", "/proc/meminfo"]);
    return Number(/\d+/.exec(total)) < 200 * 1024;
  });
  assert.match(await daemon.ok(["stats", "--no-stream", "--format", "{{.MemUsage}}", "box"]), /^\d.*MiB/);
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.equal(await daemon.ok(["exec", "box", "echo", "again"]), "again");
  await served();
  await daemon.ok(["stop", "-t", "0", "box"]);
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.ExitCode}}", "box"]), "137");
  await daemon.ok(["start", "box"]);
  await served();
  await daemon.ok(["rm", "-f", "box"]);
  const { code } = await daemon.docker([
    "run",
    "--rm",
    "--isolation=hyperv",
    "busybox",
    "sh",
    "-c",
    "exit 9",
  ]);
  assert.equal(code, 9);
  const absent = await daemon.docker(["run", "--rm", "--isolation=hyperv", "busybox", "absent"]);
  assert.equal(absent.code, 127);
  assert.equal(await ok("ls", "-q"), template);
});

test("one that is damaged, or that the hypervisor refuses, is told of and the machine boots", async () => {
  const path = (file: string): string => join(daemon.dataRoot, "boot/templates", template, file);
  const refused = (): void => {
    const state = Buffer.from("no state at all");
    writeFileSync(path("state"), state);
    const description = JSON.parse(readFileSync(path("template.json"), "utf8"));
    description.digest = createHash("sha256")
      .update(state)
      .update(readFileSync(path("kernel")))
      .digest("hex");
    writeFileSync(path("template.json"), JSON.stringify(description));
  };
  const damages: [damage: () => void, told: RegExp][] = [
    [refused, /cannot be used and is removed.*did not start/],
    [() => writeFileSync(path("state"), "no state"), /cannot be used and is removed.*state is not what was/],
  ];
  for (const [damage, told] of damages) {
    if ((await ok("ls", "-q")) === "") template = await daemon.makeTemplate();
    damage();
    const before = daemon.log.length;
    const { code, stdout, stderr } = await daemon.docker(
      ["run", "--rm", "-i", "--isolation=hyperv", "busybox", "cat"],
      { input: "booted" },
    );
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "booted", stderr: "" });
    assert.match(daemon.log.slice(before), told);
    assert.equal(await ok("ls", "-q"), "");
  }
  const { code, stderr } = await vm("rm", "absent");
  assert.match(stderr, /No such template/);
  assert.equal(code, 1);
});

test("a daemon that is killed or stopped while it makes one leaves nothing", async () => {
  await vm("rm", template);
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    const making = vm("create");
    await until("it is being made", () => readdirSync(join(daemon.dataRoot, "tmp")).length > 0);
    await sleep(1500);
    await daemon.down(signal);
    assert.notEqual((await making).code, 0);
    await daemon.up();
    assert.deepEqual(daemon.leftovers(), []);
    assert.deepEqual(readdirSync(join(daemon.dataRoot, "tmp")), []);
    assert.equal(await ok("ls", "-q"), "");
  }
});

test("one is made unasked after a machine had to boot; a removed one is not made again", async () => {
  await vm("rm", template);
  await daemon.down();
  await daemon.up("--guest-templates");
  const first = await token();
  await until("a template is there", async () => (await ok("ls", "-q")) !== "");
  assert.match(daemon.log, /made a template of virtual machines/);
  template = await ok("ls", "-q");
  const saved = savedToken(template);
  assert.notEqual(first, saved);
  assert.equal(await token(), saved);
  assert.equal(await ok("rm", template), template);
  assert.notEqual(await token(), saved);
  await sleep(5000);
  assert.deepEqual(readdirSync(join(daemon.dataRoot, "tmp")), []);
});
