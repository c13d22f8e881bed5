// What is particular to containers in a virtual machine of their own. What they share with others is tested by
// the other tests too: BERTH_TEST_ISOLATION=hyperv has those run in virtual machines.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon, until } from "../support/daemon.ts";

const isolated = ["--isolation=hyperv"];

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("hyperv");
  await daemon.ok(["network", "create", "net"]);
  mkdirSync(join(daemon.directory, "shared"));
  await daemon.ok([
    ...["run", "-d", "--name", "box", ...isolated],
    ...["--network", "net", "-p", "127.0.0.1::80", "--hostname", "inside"],
    ...["-v", `${daemon.directory}/shared:/shared`, "-v", "kept:/kept", "-v", "kept:/look:ro"],
    ...["--tmpfs", "/memory:size=1m", "--memory", "160m", "--pids-limit", "100", "--ulimit", "nofile=99"],
    ...["--workdir", "/made/here", "--cap-drop", "chown", "--init", "--sysctl", "net.ipv4.ip_forward=1"],
    "busybox",
    ...["sh", "-c", "echo $PWD; mkdir /www; uname -r > /www/index.html; httpd -p 80 -h /www; sleep 1000"],
  ]);
});
after(async () => {
  await daemon.ok(["rm", "-fv", "box"]);
  await daemon.ok(["network", "rm", "net"]);
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const inside = (command: string): Promise<string> => daemon.ok(["exec", "box", "sh", "-c", command]);

test("one image both ways: the kernel inside is the host's or the guest's", async () => {
  const uname = ["busybox", "uname", "-r"];
  assert.equal(await daemon.ok(["run", "--rm", ...uname]), release());
  const guest = await daemon.ok(["run", "--rm", ...isolated, "--network", "none", ...uname]);
  assert.match(guest, /^\d+\.\d+/);
  assert.notEqual(guest, release());
  assert.equal(await daemon.ok(["inspect", "-f", "{{.HostConfig.Isolation}}", "box"]), "hyperv");
});

test("the plan of the container's process is carried out inside", async () => {
  assert.equal(await daemon.ok(["logs", "box"]), "/made/here");
  assert.equal(await inside("hostname; ulimit -n; cat /proc/sys/net/ipv4/ip_forward"), "inside\n99\n1");
  assert.match(await inside("cat /proc/1/comm"), /docker-init/);
  assert.equal(await inside("cat /sys/fs/cgroup/pids.max"), "100");
  assert.match(await inside("touch /c; chown 1 /c 2>&1 || true"), /Operation not permitted/);
  assert.match(await inside("df -k /memory"), /tmpfs +1024 /);
  assert.match(await inside("grep Seccomp: /proc/self/status"), /2$/);
  assert.equal(
    await inside("cat /proc/kcore | wc -c; ls /proc/acpi /sys/firmware"),
    "0\n/proc/acpi:\n\n/sys/firmware:",
  );
  assert.match(await inside("grep MemTotal /proc/meminfo"), /: +1[0-4]\d{4} kB/);
});

test("execs: their streams, exit codes and users, several at once", async () => {
  const input = "x".repeat(300_000);
  const echoes = Array.from({ length: 4 }, () =>
    daemon.docker(["exec", "-i", "box", "sh", "-c", "cat; echo done >&2; exit 3"], { input }),
  );
  for (const result of await Promise.all(echoes))
    assert.deepEqual(result, { code: 3, stdout: input, stderr: "done\n" });
  assert.equal(await daemon.ok(["exec", "-u", "12:34", "box", "id", "-u"]), "12");
  assert.equal((await daemon.docker(["exec", "box", "absent"])).code, 127);
});

test("volumes and binds have the owners that they have without a machine", async () => {
  await inside("echo one > /shared/file; touch /kept/of-user; chmod 604 /kept/of-user");
  await daemon.ok(["exec", "-u", "0", "--privileged", "box", "chown", "7:8", "/kept/of-user"]);
  const { uid, gid } = statSync(join(daemon.directory, "shared/file"));
  assert.deepEqual([uid, gid], [0, 0]);
  assert.equal(readFileSync(join(daemon.directory, "shared/file"), "utf8"), "one\n");
  const look = ["run", "--rm", "-v", "kept:/kept", "busybox", "stat", "-c", "%u %g %a", "/kept/of-user"];
  assert.equal(await daemon.ok(look), "7 8 604");
  assert.match(await inside("touch /look/x 2>&1 || true"), /Read-only file system/);
  writeFileSync(join(daemon.directory, "shared/late"), "late");
  assert.equal(await inside("cat /shared/late"), "late");
});

test("files of a running machine: cp both ways, diff, export", async () => {
  writeFileSync(join(daemon.directory, "from-host"), "host");
  await daemon.ok(["cp", join(daemon.directory, "from-host"), "box:/etc/from-host"]);
  assert.equal(await inside("cat /etc/from-host; echo guest > /etc/from-guest"), "host");
  await daemon.ok(["cp", "box:/etc/from-guest", join(daemon.directory, "from-guest")]);
  assert.equal(readFileSync(join(daemon.directory, "from-guest"), "utf8"), "guest\n");
  assert.match(await daemon.ok(["diff", "box"]), /A \/etc\/from-guest/);
});

test("published ports, addresses and names, between machines and containers", async () => {
  const port = (await daemon.ok(["port", "box", "80"])).split(":").at(-1);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(await page.text(), /^\d+\.\d+.*\n$/);
  const get = ["busybox", "wget", "-qO-", "http://box/"];
  const own = await inside("cat /www/index.html");
  assert.equal(await daemon.ok(["run", "--rm", "--network", "net", ...get]), own);
  assert.equal(await daemon.ok(["run", "--rm", ...isolated, "--network", "net", ...get]), own);
  // As a name and address of its own that it has not been given.
  const spoof =
    "ip addr add 172.31.99.99/32 dev eth0 && ping -c 1 -W 1 -I 172.31.99.99 $(ip route | awk '/default/{print $3}')";
  assert.notEqual((await daemon.docker(["exec", "--privileged", "box", "sh", "-c", spoof])).code, 0);
  assert.match(
    (await daemon.docker(["network", "connect", "bridge", "box"])).stderr,
    /is in a virtual machine and cannot be connected to a network while it runs/,
  );
});

test("top lists the guest's processes, stats the machine's use", async () => {
  const top = await daemon.ok(["top", "box"]);
  assert.match(top, /^UID +PID +PPID/);
  assert.match(top, /sleep 1000/);
  assert.doesNotMatch(top, /qemu|berth/);
  const stats = await daemon.ok(["stats", "--no-stream", "--format", "{{.MemUsage}} {{.NetIO}}", "box"]);
  assert.match(stats, /MiB \/ 320MiB [1-9][\d.]*k?B \/ [1-9][\d.]*k?B/);
});

test("explain shows the machine: its programs, its sandbox on the host, and what is done in the guest", async () => {
  const planned = await daemon.berth(["explain", "run", ...isolated, "-m", "160m", "busybox", "echo", "hi"]);
  for (const expected of [
    /^\d+ system calls would make the sandbox of a virtual machine that runs \["echo","hi"\] of busybox, \d+ more/,
    /160MiB of memory, 1 processor, kernel \d+\.\d+\.\S+\n {2}by the accelerator \w+ \(.*\); boots/,
    /^ {4}-machine microvm,/m,
    /^ {4}-device vhost-user-fs-pci,/m,
    /^── On the host: the sandbox.*exec_vmm.*^── In the guest: the container's process.*execve\(\["echo", "hi"\]/ms,
  ])
    assert.match(planned.stdout, expected, planned.stderr);
  const { stdout } = await daemon.berth(["explain", "box"]);
  assert.match(
    stdout,
    /in a virtual machine of its own.*virtiofsd\n.*qemu-system-x86_64\n {4}-name guest=box/s,
  );
});

test("update changes what the hypervisor can change, and says what it cannot", async () => {
  const total = async (): Promise<number> =>
    Number(/(\d+) kB/.exec(await inside("grep MemTotal /proc/meminfo"))?.[1]);
  const before = await total();
  await daemon.ok(["update", "--memory", "128m", "--pids-limit", "50", "box"]);
  await until("the guest gave memory back", async () => (await total()) <= before - 30_000);
  assert.equal(await inside("cat /sys/fs/cgroup/pids.max"), "50");
  await daemon.ok(["update", "--memory", "160m", "box"]);
  await until("the guest has its memory again", async () => (await total()) === before);
  const more = await daemon.docker(["update", "--memory", "300m", "box"]);
  assert.match(more.stderr, /was started with 160 MiB of memory and cannot have 300 MiB while it runs/);
});

test("a machine that was paused for longer than a new daemon waits for it is reached when it goes on", async () => {
  await daemon.ok(["pause", "box"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  await sleep(8000);
  await until("the daemon has given up", () => daemon.log.includes("a virtual machine cannot be reached"));
  await daemon.ok(["unpause", "box"]);
  assert.equal(await inside("echo again"), "again");
});

test("a new daemon finds the machine and all in it", async () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await daemon.down(signal);
    await daemon.up();
    assert.equal(await inside("echo again"), "again");
    assert.match(await daemon.ok(["top", "box"]), /sleep 1000/);
  }
  // Of QEMU's descendants nobody has the daemon's.
  assert.equal(await daemon.ok(["kill", "box"]), "box");
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.ExitCode}}", "box"]), "137");
});
