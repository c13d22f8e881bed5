// Starts that were begun before they were asked for: they are used, and nobody can tell.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("ahead");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const shims = (): string[] => readdirSync(join(daemon.execRoot, "shims"));

let count = 0;

/** Runs a container and waits until a start like it has been begun, but not with all it says; answers that one's id. */
const begun = (...options: string[]): Promise<string> =>
  begunLike([...options, "busybox", "true", String(count++)]);

async function begunLike(args: readonly string[]): Promise<string> {
  await daemon.ok(["run", "--rm", ...args]);
  let id = "";
  await until("a start is begun", async () => {
    const [first = "", ...others] = shims();
    id = first;
    // That of the container that just ended goes; and the daemon has to hear of the one that is begun.
    await sleep(100);
    return others.length === 0 && existsSync(join(daemon.execRoot, "shims", id, "shim.sock"));
  });
  return id;
}

/** The working directory of a process. */
function worksIn(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

const none = ["--network", "none"];

test("among the control groups it is told apart from those of containers", async () => {
  await daemon.ok(["run", "-d", "--name", "first", ...none, "busybox", "sleep", "600"]);
  const groups = async (): Promise<string> =>
    (await daemon.berth(["cgroup", "ls", daemon.cgroupParent])).stdout.replace(/ {3,}.*/g, "");
  const id = (await daemon.ok(["inspect", "-f", "{{.Id}}", "first"])).slice(0, 12);
  await until("a start is begun", async () => (await groups()).includes("ahead"));
  const lines = (await groups()).trim().split("\n").slice(2).sort();
  assert.equal(lines.length, 2);
  assert.ok(lines.some((line) => line.endsWith(` ${id} (first)`)));
  assert.ok(lines.some((line) => /^.. [0-9a-f]{12} \(begun ahead\)$/.test(line)));
  await daemon.ok(["rm", "-f", "first"]);
});

for (const network of ["none", "bridge"]) {
  test(`the next container like the last goes on with it, network ${network}`, async () => {
    const id = await begun("--network", network);
    assert.equal(await daemon.ok(["ps", "-aq"]), "", "it is nobody's container yet");
    const created = await daemon.ok(["create", "--network", network, "busybox", "true"]);
    assert.equal(created, id);
    assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Status}} {{.State.Pid}}", id]), "created 0");
    await daemon.ok(["start", "-a", id]);
    assert.equal(await daemon.ok(["wait", id]), "0");
    await daemon.ok(["rm", id]);
  });

  test(`another command gets its own words, output and exit code, network ${network}`, async () => {
    const id = await begun("--network", network);
    const script = "echo $0 $WORD; hostname; cat /etc/hostname; id -u; pwd; echo bad >&2; exit 7";
    const args = ["--network", network, "-e", "WORD=two", "-w", "/tmp", "busybox", "sh", "-c", script, "one"];
    const result = await daemon.docker(["run", "--name", "other", ...args]);
    assert.equal(await daemon.ok(["inspect", "-f", "{{.Id}}", "other"]), id);
    const short = id.slice(0, 12);
    assert.deepEqual(result.stdout.trim().split("\n"), ["one two", short, short, "0", "/tmp"]);
    assert.equal(result.stderr, "bad\n");
    assert.equal(result.code, 7);
    assert.match(await daemon.ok(["logs", "other"]), /^one two/);
    await daemon.ok(["rm", "other"]);
  });
}

test("the same words twice", async () => {
  const run = () => daemon.docker(["run", "--rm", ...none, "busybox", "sh", "-c", "hostname; exit 3"]);
  const [first, second] = [await run(), await run()];
  assert.deepEqual([first.code, second.code], [3, 3]);
  assert.notEqual(first.stdout, second.stdout);
});

for (const network of ["none", "bridge"]) {
  test(`after two that are alike in all, the next is taken for a third, network ${network}`, async () => {
    const script =
      "hostname; ip -o -4 addr | grep -c eth0; cat /etc/hostname; id -u; ls /made; touch /made; echo bad >&2; exit 4";
    const words = ["--network", network, "busybox", "sh", "-c", script];
    const file = join(daemon.directory, "cid");
    for (let round = 0; round < 4; round++) {
      rmSync(file, { force: true });
      const [next = ""] = shims();
      const { code, stdout, stderr } = await daemon.docker(["run", "--rm", "--cidfile", file, ...words]);
      if (round > 1) assert.equal(readFileSync(file, "utf8"), next);
      assert.equal(code, 4);
      assert.match(stderr, /made: No such file.*\nbad\n$/s);
      const [name = "", links, written, user] = stdout.split("\n");
      assert.match(name, /^[0-9a-f]{12}$/);
      assert.deepEqual([links, written, user], [network === "none" ? "0" : "1", name, "0"]);
      await until("the next is begun", () => shims().length === 1 && shims()[0] !== next);
      await sleep(100);
    }
  });
}

test("what was made for a third like two others is nobody else's", async () => {
  const twice = async (...words: string[]): Promise<string> => {
    await daemon.ok(["run", "--rm", ...none, ...words]);
    return begunLike([...none, ...words]);
  };
  const id = await twice("-w", "/of/others", "busybox", "true");
  const create = ["create", ...none, "busybox", "ls", "/"];
  const other = await daemon.ok(create);
  assert.notEqual(other, id);
  assert.doesNotMatch(await daemon.ok(["start", "-a", other]), /^of$/m);
  await daemon.ok(["rm", other]);

  await daemon.ok(["tag", "busybox", "passing"]);
  await twice("passing", "true");
  await daemon.ok(["rmi", "passing"]);
  assert.match((await daemon.docker(["run", "--rm", ...none, "passing", "true"])).stderr, /passing/);

  // Files of one that was made whole can be copied to, before it starts.
  const reading = ["busybox", "sh", "-c", "cat /file || true"];
  await twice(...reading);
  const copied = await daemon.ok(["create", "--rm", ...none, ...reading]);
  const file = join(daemon.directory, "file");
  writeFileSync(file, "copied\n");
  await daemon.ok(["cp", file, `${copied}:/file`]);
  assert.equal(await daemon.ok(["start", "-a", copied]), "copied");
});

test("a container that looks otherwise is not made of it", async () => {
  const id = await begun(...none);
  const other = await daemon.ok(["create", ...none, "--memory", "64m", "busybox", "true"]);
  assert.notEqual(other, id);
  await daemon.ok(["rm", other]);
});

test("a failing start fails as ever", async () => {
  await begun(...none);
  const failing = () => daemon.docker(["run", "--rm", ...none, "busybox", "nowhere"]);
  const first = await failing();
  await begun(...none);
  const second = await failing();
  assert.equal(first.code, 127);
  assert.deepEqual(second, first);
  const directory = () => daemon.docker(["run", "--rm", ...none, "-w", "/etc/passwd", "busybox", "true"]);
  const [once, twice] = [await directory(), await directory()];
  assert.notEqual(once.code, 0);
  assert.deepEqual(twice, once);
});

test("what changes between creation and start counts", async () => {
  await begun(...none);
  const create = ["create", ...none, "busybox", "sh", "-c"];
  const id = await daemon.ok([...create, "cat /file /sys/fs/cgroup/memory/memory.limit_in_bytes"]);
  const file = join(daemon.directory, "file");
  writeFileSync(file, "copied\n");
  await daemon.ok(["cp", file, `${id}:/file`]);
  await daemon.ok(["update", "--memory", "64m", "--memory-swap", "64m", id]);
  assert.equal(await daemon.ok(["start", "-a", id]), `copied\n${64 << 20}`);
  await daemon.ok(["rm", id]);

  await begun(...none);
  const linked = await daemon.ok(["create", ...none, "busybox", "ip", "-o", "link"]);
  await daemon.ok(["network", "disconnect", "none", linked]);
  await daemon.ok(["network", "connect", "bridge", linked]);
  assert.match(await daemon.ok(["start", "-a", linked]), /eth0/);
  await daemon.ok(["rm", linked]);
});

test("who attached before the start hears all, whatever became of what was begun", async () => {
  const changes: ((id: string) => Promise<unknown>)[] = [
    async () => undefined,
    (id) => daemon.ok(["rename", id, "renamed"]),
    (id) => daemon.ok(["update", "--memory", "64m", "--memory-swap", "64m", id]),
    () => until("it is given up", () => shims().length === 0),
  ];
  for (const [index, change] of changes.entries()) {
    const command = [...none, "busybox", "echo", "heard", String(index)];
    const id = await begunLike(command);
    assert.equal(await daemon.ok(["create", ...command]), id);
    const container = new Docker({ socketPath: daemon.socket }).getContainer(id);
    const stream = await container.attach({ stream: true, stdout: true });
    const heard: Buffer[] = [];
    stream.on("data", (data: Buffer) => heard.push(data));
    const ended = once(stream, "end");
    await change(id);
    await container.start();
    await ended;
    assert.match(Buffer.concat(heard).toString(), /heard/);
    await daemon.ok(["rm", id]);
  }
});

test("volumes and directories of the host are looked up at the start", async () => {
  const directory = join(daemon.directory, "bound");
  await begun("-v", `${directory}:/bound`);
  const id = await daemon.ok(["create", "-v", `${directory}:/bound`, "busybox", "cat", "/bound/file"]);
  writeFileSync(join(directory, "file"), "here\n");
  assert.equal(await daemon.ok(["start", "-a", id]), "here");
  await daemon.ok(["rm", id]);
});

test("a filter that forbids waiting does no harm", async () => {
  const profile = join(daemon.directory, "profile.json");
  const syscalls = [{ names: ["poll", "ppoll", "read"], action: "SCMP_ACT_KILL_PROCESS" }];
  writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
  const options = [...none, "--security-opt", `seccomp=${profile}`];
  await begun(...options);
  assert.equal(await daemon.ok(["run", "--rm", ...options, "busybox", "true"]), "");
});

test("users, terminals, read-only roots and init", async () => {
  for (const [options, command, output] of [
    [["--user", "7:8"], "id -u; id -g", "7\n8"],
    [["-t"], "test -t 0 && echo terminal", "terminal"],
    [["--read-only"], "touch /file 2>/dev/null || echo read-only", "read-only"],
    [["--init"], "tr '\\0' ' ' </proc/1/cmdline | grep -q init && echo init", "init"],
    [["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"],
    [["--ulimit", "nofile=20"], "ulimit -n", "20"],
    [["--cap-drop", "ALL"], "grep CapEff /proc/self/status", `CapEff:\t${"0".repeat(16)}`],
  ] as const) {
    const run = ["run", "--rm", ...none, ...options, "busybox", "sh", "-c", command];
    await begun(...none, ...options);
    assert.equal((await daemon.ok(run)).replaceAll("\r", ""), output);
    assert.equal((await daemon.ok(run)).replaceAll("\r", ""), output);
  }
});

test("input reaches it", async () => {
  await begun(...none, "-i");
  assert.equal(await daemon.ok(["run", "--rm", ...none, "-i", "busybox", "cat"], { input: "in\n" }), "in");
});

test("it goes when nobody wants it, or its container goes", async () => {
  const id = await begun(...none);
  assert.notEqual(daemon.leftovers().length, 0);
  await until("it is gone", () => daemon.leftovers().length === 0);
  assert.equal(shims().includes(id), false);
  assert.equal(
    await begun(...none),
    await daemon.ok(["create", "--name", "late", ...none, "busybox", "true"]),
  );
  await until("it is gone", () => shims().length === 0);
  await daemon.ok(["start", "-a", "late"]);
  await daemon.ok(["rm", "late"]);
  await begun(...none);
  await daemon.ok(["rm", await daemon.ok(["create", ...none, "busybox", "true"])]);
  assert.deepEqual(daemon.leftovers(), []);
});

test("a start that fails before it uses what was begun says why, and leaves nothing", async () => {
  const source = join(daemon.directory, "source");
  const options = [...none, "--mount", `type=bind,src=${source},dst=/x`];
  mkdirSync(source);
  const id = await begun(...none);
  assert.equal(await daemon.ok(["create", ...options, "busybox", "true"]), id);
  rmSync(source, { recursive: true });
  const { code, stderr } = await daemon.docker(["start", id]);
  assert.equal(code, 1);
  assert.match(stderr, /bind source path does not exist/);
  assert.deepEqual(shims(), []);
  await daemon.ok(["rm", id]);
  assert.deepEqual(daemon.leftovers(), []);
});

test("a shim that is killed while it waits costs nothing", async () => {
  const id = await begun(...none);
  const directory = join(daemon.execRoot, "shims", id);
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && worksIn(name) === directory);
  assert.ok(pid);
  process.kill(Number(pid), "SIGKILL");
  assert.equal(await daemon.ok(["run", "--rm", ...none, "busybox", "echo", "fine"]), "fine");
});

test("a daemon that is killed leaves none of it", async () => {
  const id = await begun(...none);
  const created = await daemon.ok(["create", ...none, "busybox", "echo", "later"]);
  assert.equal(created, id);
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Status}}", id]), "created");
  assert.equal(await daemon.ok(["start", "-a", id]), "later");
  await daemon.ok(["rm", id]);
});

test("a daemon that stops while one is being begun leaves none of it", async () => {
  // At moments around those at which it begins.
  for (let pause = 0; pause <= 12; pause++) {
    await daemon.ok(["run", "--rm", ...none, "busybox", "true"]);
    await sleep(pause);
    await daemon.down("SIGTERM");
    assert.deepEqual(daemon.leftovers(), [], `stopped after ${pause} ms`);
    await daemon.up();
  }
});
