// What a container can reach of the host, of the engine and of other containers, and what others can of it.
import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run as program, type Result, TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("reach");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (options: string[], script: string): Promise<Result> =>
  daemon.docker(["run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", script]);

/** Starts a container; returns its first process. */
async function start(name: string, ...options: string[]): Promise<number> {
  await daemon.ok(["run", "-d", "--name", name, "--network", "none", ...options, "busybox", "sleep", "600"]);
  return Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", name]));
}

test("nothing but the three streams is open: process, init, exec, terminal", async () => {
  // No pipe, whose ends a shell has open for a moment.
  const list = "ls /proc/1/fd /proc/self/fd; true";
  const words = (text: string): string => text.trim().split(/\s+/).join(" ");
  // The last number is the descriptor that ls itself reads the directory by.
  const expected = "/proc/1/fd: 0 1 2 /proc/self/fd: 0 1 2 3";
  assert.equal(words((await run([], list)).stdout), expected);
  assert.equal(words((await run(["--init"], list)).stdout), expected);
  await start("open");
  assert.equal(words(await daemon.ok(["exec", "open", "sh", "-c", list])), expected);
  assert.equal(words(await daemon.ok(["exec", "-t", "open", "sh", "-c", list])), expected);
  await daemon.ok(["rm", "-f", "open"]);
});

test("an init process keeps nothing of other containers in its memory", async () => {
  await start("other", "-e", "PASSWORD=correct-horse-battery");
  const pid = await start("own", "--init", "-e", "OWN=visible");
  const found = await program("python3", [
    "-c",
    `import re
text = b""
for line in open("/proc/${pid}/maps"):
    first, last = (int(n, 16) for n in line.split()[0].split("-"))
    if "r" not in line.split()[1] or "[v" in line: continue
    memory = open("/proc/${pid}/mem", "rb"); memory.seek(first); text += memory.read(last - first)
print(b"OWN=visible" in text, b"correct-horse" in text, b"${daemon.directory}" in text)`,
  ]);
  assert.equal(found.stdout, "True False False\n", found.stderr);
  await daemon.ok(["rm", "-f", "other", "own"]);
});

test("every container has a range of ids of its own", async () => {
  const maps = await Promise.all(
    ["one", "two", "three"].map(async (name) => readFileSync(`/proc/${await start(name)}/uid_map`, "latin1")),
  );
  const ranges = maps.map((map) => (map.split("\n")[0] ?? "").trim().split(/\s+/).map(Number));
  const starts = ranges.map(([, outside = 0]) => outside).sort((a, b) => a - b);
  for (const [inside, outside, size] of ranges) {
    assert.deepEqual([inside, size], [0, 65536]);
    assert.ok((outside ?? 0) > 65535);
  }
  // Beyond it there is nothing of the host's users either.
  for (const map of maps) assert.match(map, /^.*\n +65536 +2147483648 +2147418112\n$/);
  for (const [index, first] of starts.entries())
    if (index > 0) assert.ok(first - (starts[index - 1] ?? 0) >= 65536, `${starts}`);
  await daemon.ok(["rm", "-f", "one", "two", "three"]);
});

test("with the host's processes in sight they cannot be touched, the shim least of all", async () => {
  const options = ["--pid", "host", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"];
  const probe =
    'shim=$(awk "/^PPid/ { print \\$2 }" /proc/self/status); shim=$(awk "/^PPid/ { print \\$2 }" /proc/$shim/status 2>/dev/null || echo 1);' +
    " for p in 1 $shim; do head -c 1 /proc/$p/mem; ls /proc/$p/root /proc/$p/fd; cat /proc/$p/environ; kill -9 $p; done 2>&1 |" +
    " grep -vciE 'denied|not permitted|^$|^/proc/[0-9]+/fd:$'";
  assert.equal((await run(options, probe)).stdout, "0\n");
});

test("users of the host reach neither container nor engine", async () => {
  const volume = ["-v", "files:/files"];
  const pid = await start("private", ...volume);
  await daemon.ok([
    "exec",
    "private",
    "sh",
    "-c",
    "cp /bin/busybox /files/root-shell && chmod 4755 /files/root-shell",
  ]);
  const file = join(daemon.dataRoot, "volumes/files/_data/root-shell");
  assert.equal(lstatSync(file).mode & 0o7777, 0o4755);
  const script = [
    `ls /proc/${pid}/root/`,
    `ls /proc/${pid}/cwd/`,
    `cat /proc/${pid}/environ`,
    `kill ${pid}`,
    `${file} sh -c id`,
    `ls ${daemon.dataRoot}`,
    `ls ${daemon.execRoot}/shims`,
    `docker -H ${daemon.host} ps`,
  ]
    .map((command) => `(${command}) >/dev/null 2>&1 && echo "${command}"`)
    .join("; ");
  const nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", `${script}; true`];
  assert.deepEqual(await program("setpriv", nobody), { code: 0, stdout: "", stderr: "" });
  await daemon.ok(["rm", "-f", "private"]);
  await daemon.ok(["volume", "rm", "files"]);
});

test("sockets are files of their owner; none is abstract", async () => {
  await start("sockets");
  await daemon.ok(["exec", "-d", "sockets", "sleep", "5"]);
  const sockets = readdirSync(daemon.directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(daemon.directory, name))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket());
  assert.ok(sockets.length >= 3, `${sockets}`);
  for (const path of sockets) assert.equal(lstatSync(path).mode & 0o777, 0o600, path);
  const abstract = readFileSync("/proc/net/unix", "latin1").match(/@\S*(berth|docker)\S*/g);
  assert.equal(abstract, null);
  await daemon.ok(["rm", "-f", "sockets"]);
});

test("without certificates the API is not served over TCP", async () => {
  const args = ["daemon", "-H", "tcp://127.0.0.1:0", "--data-root", join(daemon.directory, "second")];
  const { code, stderr, stdout } = await daemon.berth(args, { timeout: 10_000 });
  assert.notEqual(code, 0);
  assert.match(stderr + stdout, /tls/i);
});
