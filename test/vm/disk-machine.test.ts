// `berth vm` with machines that boot a disk: their life, console, snapshots, faults, and daemons that end.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon, until } from "../support/daemon.ts";
import { makeBootDisk } from "./boot-disk.ts";
import { machinesOf } from "./machines.ts";

let daemon: TestDaemon;
const { vm, ok, field, end } = machinesOf(() => daemon);
let disk: string;

before(async () => {
  daemon = await TestDaemon.start("vm-disk");
  disk = makeBootDisk(daemon.directory);
});
after(() => end());

async function refused(why: RegExp, ...args: string[]): Promise<void> {
  const { code, stderr } = await vm(...args);
  assert.match(stderr, why);
  assert.equal(code, 1);
}

const create = (name: string, ...flags: string[]): Promise<string> =>
  ok("create", name, "--disk", disk, "--memory", "64m", "--network", "none", ...flags);
const booted = (name: string, times = 1): Promise<void> =>
  until(`${name} boots`, async () => (await ok("logs", name)).split("this disk boots").length > times);

/** The keys that leave a console. */
const leave = "\x10\x11";

/** Types at the console until the machine has answered so. */
async function type(name: string, keys: string, expected: string): Promise<void> {
  const { code } = await daemon.berth(["vm", "console", name], { input: `${keys}${leave}` });
  assert.equal(code, 0);
  await until(`${name} answers ${expected}`, async () =>
    (await ok("logs", name)).replaceAll("\r", "").endsWith(expected),
  );
}

test("a machine's life", async () => {
  await create("life");
  assert.match(await ok("ls"), /life +machine .*boot\.img +created +1 +0\.0s +64MiB/);
  assert.equal((await daemon.docker(["ps", "-aq"])).stdout, "", "not among the containers");
  assert.match((await daemon.docker(["rm", "life"])).stderr, /No such container: life/);
  await ok("start", "life");
  await booted("life");
  assert.equal((await vm("start", "life")).code, 0, "started already");
  assert.match(await ok("ls"), /life .*running .*MiB \/ 64MiB/);
  assert.equal(await field("life", "{{.Hypervisor.Chipset}} {{.State.Guest}}"), "q35 running");
  await refused(/is running: stop it before/, "rm", "life");
  await ok("stop", "life");
  assert.equal(await field("life", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"), "exited 0");
  await ok("restart", "life");
  await booted("life", 2);
  // The guest switches itself off.
  await daemon.berth(["vm", "console", "life"], { input: "q" });
  await until("the machine is off", async () => (await field("life", "{{.State.Running}}")) === "false");
  assert.equal(await field("life", "{{.State.ExitCode}}{{.State.Error}}"), "0");
  await ok("rm", "life");
  await refused(/No such machine: life/, "inspect", "life");
});

test("the hypervisor has no privilege and no network", async () => {
  await create("bare");
  await ok("start", "bare");
  const [pid, user] = (await field("bare", "{{.State.Pid}} {{.User}}")).split(" ").map(Number);
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  assert.equal(/^Uid:\s+(\d+)/m.exec(status)?.[1], String(user));
  assert.ok(Number(user) > 65535);
  for (const set of ["CapEff", "CapPrm", "CapBnd"]) assert.match(status, new RegExp(`^${set}:\\s+0+$`, "m"));
  assert.match(status, /^Seccomp:\s+2$/m);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  const links = readFileSync(`/proc/${pid}/net/dev`, "latin1").match(/^ *\w+:/gm);
  assert.deepEqual(
    links?.map((link) => link.trim()),
    ["lo:"],
  );
  assert.ok(!existsSync(`/proc/${pid}/root/root/`) && !existsSync(`/proc/${pid}/root${daemon.dataRoot}`));
  await ok("rm", "-f", "bare");
});

test("snapshots of a running machine take its memory back, too", async () => {
  await create("snap");
  await ok("start", "snap");
  await booted("snap");
  await type("snap", "n", "1");
  await ok("snapshot", "create", "snap", "one");
  await refused(/there is a snapshot one already/, "snapshot", "create", "snap", "one");
  await type("snap", "nn", "1\n2\n3");
  await ok("snapshot", "restore", "snap", "one");
  await type("snap", "n", "1\n2\n3\n2");
  await refused(/No such snapshot: two/, "snapshot", "restore", "snap", "two");
  await refused(/No such snapshot: two/, "snapshot", "rm", "snap", "two");
  await refused(/invalid snapshot name "a b"/, "snapshot", "create", "snap", "a b");
  await ok("stop", "snap");
  await ok("snapshot", "create", "snap", "cold");
  assert.match(await ok("snapshot", "ls", "snap"), /^one .*iB\ncold .*disk only$/m);
  await ok("snapshot", "restore", "snap", "cold");
  await ok("start", "snap");
  await refused(/taken of a machine that did not run/, "snapshot", "restore", "snap", "cold");
  await ok("snapshot", "rm", "snap", "cold");
  await ok("snapshot", "rm", "snap", "one");
  assert.equal(await ok("snapshot", "ls", "-q", "snap"), "");
  await ok("rm", "-f", "snap");
});

test("a machine outlives the daemon, and one that is to run always comes back", async () => {
  await create("stays", "--restart", "always");
  await ok("start", "stays");
  await booted("stays");
  await type("stays", "n", "1");
  const pid = await field("stays", "{{.State.Pid}}");
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.equal(await field("stays", "{{.State.Pid}} {{.State.Guest}}"), `${pid} running`);
  await type("stays", "n", "1\n2");
  process.kill(Number(pid), "SIGKILL");
  await until("it runs again", async () => {
    const [now, running] = (await field("stays", "{{.State.Pid}} {{.State.Running}}")).split(" ");
    return now !== pid && running === "true";
  });
  // As after a reboot: nothing runs and nobody saw the end.
  const again = await field("stays", "{{.State.Pid}}");
  await daemon.down("SIGKILL");
  process.kill(Number(again), "SIGKILL");
  await until("it is gone", () => !existsSync(`/proc/${again}`));
  await daemon.up();
  await until("it is back", async () => (await field("stays", "{{.State.Guest}}")) === "running");
  await ok("stop", "stays");
  await daemon.down();
  await daemon.up();
  await ok("rm", "-f", "stays");
});

test("a hypervisor that is killed leaves a reason", async () => {
  await create("killed");
  await ok("start", "killed");
  process.kill(Number(await field("killed", "{{.State.Pid}}")), "SIGKILL");
  await until("the end is noted", async () => (await field("killed", "{{.State.Running}}")) === "false");
  assert.equal(
    await field("killed", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"),
    "exited 137 the hypervisor was killed by signal 9",
  );
  await ok("rm", "killed");
});

test("a guest that does not heed the power button is ended", async () => {
  await create("deaf");
  await ok("start", "deaf");
  // Before the system is there nobody watches the button.
  const started = Date.now();
  await ok("stop", "--timeout", "0", "deaf");
  assert.ok(Date.now() - started < 20_000);
  assert.equal(await field("deaf", "{{.State.Status}}"), "exited");
  await ok("rm", "deaf");
});

test("what cannot be is refused and leaves nothing", async () => {
  const noDisk = join(daemon.directory, "text");
  writeFileSync(noDisk, "no disk");
  const named = join(daemon.directory, "named.qcow2");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", named, "1M"]);
  const broken = join(daemon.directory, "broken.qcow2");
  writeFileSync(broken, Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(100, 0xff)]));
  const link = join(daemon.directory, "loop");
  symlinkSync(link, link);
  const from = (file: string) => ["create", "bad", "--network", "none", "--disk", file];
  await refused(/is not a disk: it is no qcow2 image and has no boot sector/, ...from(noDisk));
  await refused(/the disk .*absent does not exist/, ...from(join(daemon.directory, "absent")));
  await refused(/is a directory, not a disk/, ...from(daemon.directory));
  await refused(/needs another file: make it whole/, ...from(named));
  await refused(/is not a disk: /, ...from(broken));
  await refused(/ELOOP/, ...from(link));
  await refused(/give either --image or --disk/, "create", "bad");
  await refused(/does not fit into a --disk-size/, ...from(disk), "--disk-size", "512k");
  await refused(/more than the host has/, ...from(disk), "-m", "100t");
  await refused(/at least 67108864 bytes of memory/, ...from(disk), "-m", "1m");
  await refused(/are free for it: give a smaller --disk-size/, ...from(disk), "--disk-size", "1p");
  await refused(/whole processors, from 1 to/, ...from(disk), "--cpus", "1000");
  await refused(/Invalid container name/, "create", "/", "--disk", disk);
  await refused(/No such image: absent/, "create", "bad", "--image", "absent");
  await create("taken");
  await refused(/the name taken is in use/, "create", "taken", "--disk", disk);
  for (const verb of ["start", "stop", "restart", "rm", "console", "logs", "inspect"])
    await refused(/No such machine: nobody/, verb, "nobody");
  await refused(/is not running: start it first/, "console", "taken");
  assert.equal(await ok("ls", "-q"), "taken");
  await ok("rm", "taken");
  await sleep(100);
  assert.deepEqual(daemon.leftovers(), []);
});
