// Templates: containers with --isolation=hyperv that go on from a machine which was booted already.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
let template: string;

before(async () => {
  daemon = await TestDaemon.start("vm-template");
  template = await ok("create");
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

test("a template is there, once for each size", async () => {
  assert.deepEqual(daemon.leftovers(), []);
  assert.equal(await ok("ls", "-q"), template);
  assert.match(await ok("ls"), /1 +256MiB +\d+\.\d+\.\S+/);
});

test("containers go on from it: each with its own randomness, files, network and time", async () => {
  const volume = join(daemon.directory, "volume");
  await daemon.ok(["volume", "create", "kept"]);
  writeFileSync(volume, "bound\n");
  const script =
    "dmesg | wc -l; head -c 16 /dev/urandom | od -An -tx1; date +%s; hostname; ip -4 -o addr show eth0";
  const flags = ["-v", `${volume}:/bound:ro`, "-v", "kept:/kept"];
  const before = Math.floor(Date.now() / 1000);
  const [one = [], two = []] = (
    await Promise.all([
      run(...flags, "--name", "one", "-h", "first", "busybox", "sh", "-c", `${script}; cat /bound`),
      run(
        ...flags,
        "--name",
        "two",
        "-h",
        "second",
        "busybox",
        "sh",
        "-c",
        `${script}; echo x > /kept/x; cat /kept/x`,
      ),
    ])
  ).map((output) => output.split("\n"));
  assert.notEqual(one[1], two[1], "the same random numbers");
  for (const [, , time] of [one, two])
    assert.ok(Number(time) >= before && Number(time) <= Date.now() / 1000 + 1, `${time} is not now`);
  assert.deepEqual([one[3], two[3]], ["first", "second"]);
  const addresses = [one, two].map((lines) => /inet (\S+)\//.exec(lines[4] ?? "")?.[1]);
  assert.notEqual(addresses[0], addresses[1]);
  assert.deepEqual([one[5], two[5]], ["bound", "x"]);
});

test("exec, stop and exit codes are as without", async () => {
  await daemon.ok(["run", "-d", "--name", "box", "--isolation=hyperv", "busybox", "sleep", "1000"]);
  assert.equal(await daemon.ok(["exec", "box", "echo", "inside"]), "inside");
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.equal(await daemon.ok(["exec", "box", "echo", "again"]), "again");
  await daemon.ok(["stop", "-t", "0", "box"]);
  await daemon.ok(["start", "box"]);
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
});

test("a state that is broken costs one start, then machines boot again", async () => {
  writeFileSync(join(daemon.dataRoot, "boot/templates", `${template}.state`), "no state");
  const broken = await daemon.docker(["run", "--rm", "--isolation=hyperv", "busybox", "true"]);
  assert.notEqual(broken.code, 0);
  assert.match(broken.stderr, /virtual machine did not start/);
  assert.equal(await ok("ls", "-q"), "");
  assert.equal(await run("busybox", "echo", "booted"), "booted");
  const { code, stderr } = await vm("rm", template);
  assert.match(stderr, /No such template/);
  assert.equal(code, 1);
});
