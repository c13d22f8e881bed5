// `berth vm` with machines that boot the system of an image: exec, network, console, shutdown, panic.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { dockerArchive } from "../support/images.ts";
import { machinesOf } from "./machines.ts";
import { systemImage } from "./system-image.ts";

let daemon: TestDaemon;
const { vm, ok, field, end } = machinesOf(() => daemon);

before(async () => {
  daemon = await TestDaemon.start("vm-system");
  await daemon.ok(["load"], { input: dockerArchive([systemImage]) });
  await ok(
    "create",
    "sys",
    "--image",
    "system",
    "--memory",
    "128m",
    "--disk-size",
    "64m",
    "-p",
    "127.0.0.1::80",
  );
  await ok("start", "sys");
});
after(() => end());

const sh = (command: string): Promise<string> => ok("exec", "sys", "sh", "-c", command);
const consoleText = async (): Promise<string> => (await ok("logs", "sys")).replaceAll("\r", "");
const ups = async (): Promise<number> => (await consoleText()).split("system sys is up").length - 1;

test("the image's own init runs, on a disk of its own", async () => {
  assert.equal(await sh("cat /proc/1/comm; hostname; cat /etc/hostname"), "init\nsys\nsys");
  assert.equal(await sh("stat -c '%u:%g %a' /root/owned; cat /root/owned"), "1234:5678 640\nof somebody");
  assert.equal(await sh("ls /etc/group 2>&1; true"), "ls: /etc/group: No such file or directory");
  assert.match(await sh("grep ' / ' /proc/mounts"), /^\/dev\/vda \/ ext4 rw/m);
  assert.notEqual(await sh("uname -r"), readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  assert.match(
    await field("sys", "{{.Hypervisor.Accelerator}} {{.Hypervisor.Type}} {{.Hypervisor.Chipset}}"),
    /microvm$/,
  );
  assert.equal(await field("sys", "{{.Hypervisor.Kernel}}"), await sh("uname -r"));
  const total = Number(/MemTotal: +(\d+)/.exec(await sh("cat /proc/meminfo"))?.[1]);
  assert.ok(total > 70_000 && total < 131_072, `${total} kB of 128 MB`);
});

test("exec: streams, exit codes, users, terminals, what is not there", async () => {
  const failed = await vm("exec", "sys", "sh", "-c", "echo out; echo err >&2; exit 7");
  assert.deepEqual(failed, { code: 7, stdout: "out\n", stderr: "err\n" });
  const copied = await daemon.berth(["vm", "exec", "-i", "sys", "cat"], { input: "through\n" });
  assert.equal(copied.stdout, "through\n");
  const [, user] = await Promise.all([sh("true"), ok("exec", "-u", "1000:2000", "sys", "id")]);
  assert.match(user, /uid=1000 gid=2000/);
  assert.equal(await ok("exec", "-w", "/home", "-e", "A=b", "sys", "sh", "-c", "pwd; echo $A"), "/home\nb");
  const absent = await vm("exec", "sys", "no-such-program");
  assert.equal(absent.code, 127);
  assert.match(absent.stderr + absent.stdout, /no-such-program.*executable file not found/);
  const script = await daemon.berth(["vm", "exec", "sys", "sh", "-c", "kill -9 $$"]);
  assert.equal(script.code, 137);
});

test("it is in the network as a container is, and its ports are published", async () => {
  const address = await field("sys", "{{index .Addresses 0}}");
  assert.match(await sh("ip -4 addr show eth0"), new RegExp(`inet ${address}/`));
  const route = /default via (\S+)/.exec(await sh("ip route"))?.[1] ?? "";
  assert.match(await sh(`ping -c 1 -W 2 ${route}`), /1 packets received/);
  assert.match(await sh("cat /etc/resolv.conf"), /^nameserver /m);
  await until("the page is there", async () => {
    const { stdout } = await daemon.docker(["run", "--rm", "busybox", "wget", "-qO-", `http://${address}/`]);
    return stdout === "page from the guest\n";
  });
  const port = await field("sys", '{{(index (index .Ports "80/tcp") 0).HostPort}}');
  assert.notEqual(port, "", "the host's port");
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await page.text(), "page from the guest\n");
});

test("the console is a terminal of the system", async () => {
  await until("the system is up", async () => (await ups()) === 1);
  await until("it answers", async () => {
    // What is typed before the shell is there is lost.
    await daemon.berth(["vm", "console", "sys"], { input: "echo typed $((6 * 7))\n\x10\x11" });
    return (await consoleText()).includes("\ntyped 42\n");
  });
});

test("a guest may restart itself, and is reached again", async () => {
  await sh("sync; echo kept > /root/kept; sync");
  await vm("exec", "-d", "sys", "reboot", "-f");
  await until("it is up again", async () => (await ups()) === 2);
  assert.equal(await sh("cat /root/kept"), "kept");
});

test("snapshots of a running system", async () => {
  await sh("echo before > /root/file; sync");
  await ok("snapshot", "create", "sys", "before");
  await sh("echo after > /root/file; sync");
  await ok("snapshot", "restore", "sys", "before");
  assert.equal(await sh("cat /root/file"), "before");
  await ok("snapshot", "rm", "sys", "before");
});

test("a stop shuts the system down in order; a daemon that restarts finds it", async () => {
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.equal(await sh("echo still here"), "still here");
  await ok("stop", "sys");
  assert.match(await consoleText(), /going down/);
  assert.equal(await field("sys", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"), "exited 0");
});

test("a kernel that panics ends the machine with a reason", async () => {
  await ok("start", "sys");
  await vm("exec", "-d", "sys", "sh", "-c", "echo c > /proc/sysrq-trigger");
  await until("the end is noted", async () => (await field("sys", "{{.State.Running}}")) === "false");
  assert.equal(await field("sys", "{{.State.ExitCode}} {{.State.Error}}"), "1 the guest's kernel panicked");
});
