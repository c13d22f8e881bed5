// What goes wrong with containers in virtual machines: each says why, and nothing stays.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("hyperv-faults");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (...args: string[]) => daemon.docker(["run", "--isolation=hyperv", ...args]);
const state = (name: string, ...fields: string[]): Promise<string> =>
  daemon.ok(["inspect", "-f", fields.map((field) => `{{.State.${field}}}`).join(" "), name]);

/** The processes of this daemon's sandboxes that run a program. */
function processes(program: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[0]?.endsWith(program) &&
          readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(daemon.cgroupParent)
        );
      } catch {
        return false;
      }
    });
}

const taps = (): string[] => {
  const tag = daemon.cgroupParent.slice("berth-".length, "berth-".length + 4);
  return readdirSync("/sys/class/net").filter((name) => name.startsWith(`bv${tag}`));
};

test("what a virtual machine cannot have is refused", async () => {
  for (const [args, why] of [
    [["--pid", "host"], /--pid host cannot be used with a virtual machine/],
    [["--network", "host"], /--network host cannot be used with a virtual machine/],
    [["--device", "/dev/null"], /no devices of the host/],
    [["--memory", "32m"], /must be at least 96 MiB/],
    [["--memory", "900g"], /does not fit into this host's memory/],
  ] as const) {
    const { code, stderr } = await run("--rm", ...args, "busybox", "true");
    assert.equal(code, 125);
    assert.match(stderr, why);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("QEMU or the file server killed: the container has ended, and why is told", async () => {
  assert.equal((await run("-d", "--name", "killed", "busybox", "sleep", "1000")).code, 0);
  assert.equal(taps().length, 1);
  for (const [program, why] of [
    ["qemu-system-x86_64", /^exited 137 QEMU was killed by signal 9$/],
    ["virtiofsd", /^exited 137 .*virtiofsd was killed by signal 9$/],
  ] as const) {
    const [pid = 0] = processes(program);
    process.kill(pid, "SIGKILL");
    await until("it has ended", async () => (await state("killed", "Status")) === "exited");
    assert.match(await state("killed", "Status", "ExitCode", "Error"), why);
    assert.deepEqual([processes("qemu-system-x86_64"), processes("virtiofsd"), taps()], [[], [], []]);
    await daemon.ok(["start", "killed"]);
    assert.equal(await state("killed", "Status", "Error"), "running");
  }
  await daemon.ok(["rm", "-f", "killed"]);
});

test("a guest that panics", async () => {
  await run(
    "--name",
    "panics",
    "--privileged",
    "busybox",
    "sh",
    "-c",
    "sleep 0.3; echo c > /proc/sysrq-trigger",
  );
  assert.match(
    await state("panics", "Status", "Error"),
    /^exited Kernel panic.*the guest stopped or crashed$/,
  );
  await daemon.ok(["rm", "panics"]);
});

test("a guest that floods its console, its output and the machine's memory", async () => {
  const flood = "mknod /dev/ttyS0 c 4 64; cat /dev/zero > /dev/ttyS0 & yes";
  const log = ["--log-opt", "max-size=100k"];
  assert.equal(
    (await run("-d", "--name", "floods", ...log, "--privileged", "busybox", "sh", "-c", flood)).code,
    0,
  );
  assert.equal(await daemon.ok(["exec", "floods", "echo", "alive"]), "alive");
  await daemon.ok(["rm", "-f", "floods"]);
  const eats = await run(
    ...["--name", "eats", "--memory", "128m", "--shm-size", "1g", "busybox"],
    ...["dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=500"],
  );
  assert.equal(eats.code, 137);
  assert.equal(await state("eats", "OOMKilled", "Error"), "true");
  await daemon.ok(["rm", "eats"]);
});

test("no kernel, or none that boots", async () => {
  await daemon.down();
  const root = join(daemon.directory, "kernel");
  const image = join(root, "boot/vmlinuz-0.1");
  await daemon.up("--guest-kernel", image);
  assert.match((await run("--rm", "busybox", "true")).stderr, /guest kernel .*vmlinuz-0.1 does not exist/);
  mkdirSync(join(root, "boot"), { recursive: true });
  mkdirSync(join(root, "lib/modules/0.1/kernel"), { recursive: true });
  const drivers = ["virtio_pci", "virtio_console", "virtio_balloon", "virtiofs", "virtio_net"];
  writeFileSync(
    join(root, "lib/modules/0.1/modules.builtin"),
    drivers.map((name) => `kernel/${name}.ko\n`).join(""),
  );
  writeFileSync(image, Buffer.alloc(100_000, 0x90));
  const { code, stderr } = await run("--rm", "busybox", "true");
  assert.equal(code, 125);
  assert.match(stderr, /the container's virtual machine did not start: .*QEMU ended with status 1/s);
  assert.deepEqual([processes("qemu-system-x86_64"), taps()], [[], []]);
  await daemon.down();
  await daemon.up();
});

test("a daemon killed while machines boot: what was half-started is gone", async () => {
  const starting = run("--name", "half", "busybox", "sleep", "1000");
  await until("QEMU runs", () => processes("qemu-system-x86_64").length > 0);
  await daemon.down("SIGKILL");
  assert.notEqual((await starting).code, 0);
  await daemon.up();
  await until("nothing is left", () => processes("qemu-system-x86_64").length === 0 && taps().length === 0);
  await until("it has ended", async () => ["created", "exited"].includes(await state("half", "Status")));
  assert.equal((await daemon.docker(["start", "half"])).code, 0);
  assert.equal(await daemon.ok(["exec", "half", "echo", "hi"]), "hi");
  await daemon.ok(["rm", "-f", "half"]);
});
