// Containers that share namespaces with each other or with the host.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Result, TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("shared");
  for (const mode of ["shareable", "private"])
    await daemon.ok([
      "run",
      "-d",
      "--name",
      mode,
      "--network",
      "none",
      "--ipc",
      mode,
      "busybox",
      "sleep",
      "600",
    ]);
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (options: string[], script: string): Promise<Result> =>
  daemon.docker(["run", "--rm", ...options, "busybox", "sh", "-c", script]);

test("--ipc container: shares its memory, which has to be shareable", async () => {
  const { code, stderr } = await run(["--ipc", "container:shareable"], "echo there > /dev/shm/note");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(await daemon.ok(["exec", "shareable", "cat", "/dev/shm/note"]), "there");
  const refused = await run(["--ipc", "container:private"], "true");
  assert.equal(refused.code, 125);
  assert.match(
    refused.stderr,
    /can't join IPC of container [0-9a-f]{64}: non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)/,
  );
});

test("a link that the donor put in place of its memory is not followed", async () => {
  // Another program that looks at the mount at this moment makes it busy.
  const script =
    "until umount /dev/shm; rmdir /dev/shm; do sleep 0.1; done; ln -s /etc /dev/shm && sleep 600";
  const open = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--ipc", "shareable"];
  await daemon.ok(["run", "-d", "--name", "liar", ...open, "busybox", "sh", "-c", script]);
  const kind = ["exec", "liar", "sh", "-c", "until [ -L /dev/shm ]; do sleep 0.1; done"];
  await daemon.ok(kind);
  const { code, stderr } = await run(["--ipc", "container:liar"], "ls /dev/shm");
  assert.notEqual(code, 0);
  assert.match(stderr, /ELOOP|too many levels of symbolic links/);
  await daemon.ok(["rm", "-f", "liar"]);
});

test("--ipc none has no shared memory, --ipc host the host's", async () => {
  assert.match((await run(["--ipc", "none"], "ls -d /dev/shm")).stderr, /No such file/);
  const host = await run(["--ipc", "host"], "readlink /proc/self/ns/ipc; ls -d /dev/shm");
  assert.equal(host.code, 0, host.stderr);
});

test("--pid and --network of another: its processes, its links", async () => {
  const options = ["--pid", "container:shareable", "--network", "container:shareable"];
  const { stdout } = await run(options, "ps -o args | grep -c '^sleep 600'; ls /sys/class/net");
  assert.equal(stdout, "1\nlo\n");
});

test("--pid or --ipc of another with a network of its own", async () => {
  for (const mode of ["--pid", "--ipc"]) {
    const { code, stdout, stderr } = await run(
      [mode, "container:shareable"],
      "ip -4 -o addr | wc -l; ls /sys/class/net",
    );
    assert.deepEqual([code, stdout], [0, "2\neth0\nlo\n"], stderr);
  }
});

test("options that contradict a shared namespace are refused", async () => {
  for (const [options, conflict] of [
    [["--network", "container:shareable", "-h", "foo"], "hostname and the network mode"],
    [
      ["--network", "container:shareable", "-p", "80:80"],
      "port publishing and the container type network mode",
    ],
    [
      ["--network", "container:shareable", "--expose", "80"],
      "port exposing and the container type network mode",
    ],
    [["--network", "container:shareable", "--dns", "1.1.1.1"], "dns and the network mode"],
    [
      ["--network", "container:shareable", "--add-host", "a:1.1.1.1"],
      "custom host-to-IP mapping and the network mode",
    ],
    [["--uts", "host", "-h", "foo"], "hostname and the UTS mode"],
  ] as const) {
    const { code, stderr } = await run([...options], "true");
    assert.equal(code, 125);
    assert.ok(stderr.includes(`Error response from daemon: conflicting options: ${conflict}`), stderr);
  }
  const { code, stderr } = await run(["--network", "host", "-p", "80:80"], "true");
  assert.equal(code, 0);
  assert.match(stderr, /WARNING: Published ports are discarded when using host network mode/);
});

test("sysctls of the host are out of reach", async () => {
  for (const [options, message] of [
    [
      ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"],
      '"net.ipv4.ip_forward" not allowed in host network',
    ],
    [["--ipc", "host", "--sysctl", "kernel.msgmax=65536"], '"kernel.msgmax" is not allowed in the hosts ipc'],
  ] as const) {
    const { code, stderr } = await run([...options], "true");
    assert.equal(code, 125);
    assert.ok(stderr.includes(`sysctl ${message} namespace`), stderr);
  }
});

test("--network host: low ports may be bound, unless that capability is dropped", async () => {
  const options = ["--network", "host"];
  // busybox's httpd reports a failed bind; with nothing to serve it ends when its input does.
  const listen = "httpd -f -p 127.0.0.1:77 & sleep 0.3; kill $! && echo bound";
  assert.equal((await run(options, listen)).stdout, "bound\n");
  const refused = await run([...options, "--cap-drop", "NET_BIND_SERVICE"], listen);
  assert.match(refused.stderr, /bind: Permission denied/);
  await daemon.ok(["run", "-d", "--name", "host-net", ...options, "busybox", "sleep", "600"]);
  assert.equal(await daemon.ok(["exec", "host-net", "sh", "-c", listen]), "bound");
  await daemon.ok(["rm", "-f", "host-net"]);
});
