import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Spec } from "../../src/runtime/oci.ts";
import { canRun, Fixture, setNamespace, useHostUsers } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

const run = (script: string, change: (spec: Spec) => void = () => undefined, init = false) =>
  fixture.run(
    fixture.launch(["sh", "-c", script], (launch) => {
      change(launch.spec);
      launch.init = init;
    }),
  );

test("user, groups, umask, working directory, no new privileges", { skip }, async () => {
  const script = "id; umask; pwd; grep -E 'NoNew|CapEff|CapBnd' /proc/self/status; echo out > /dev/stdout";
  const { stdout } = await run(script, ({ process }) => {
    process.user = { uid: 1000, gid: 1000, additionalGids: [10, 20], umask: 0o027 };
    process.cwd = "/made/for/it";
    process.noNewPrivileges = true;
  });
  assert.equal(
    stdout,
    "uid=1000 gid=1000 groups=10,20\n0027\n/made/for/it\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nout\n",
  );
});

test("resource limits: low ones hold, too high ones are cut", { skip }, async () => {
  const low = await run("ulimit -n; ulimit -Hn; ulimit -c", ({ process }) => {
    process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 10, hard: 20 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ];
  });
  assert.equal(low.stdout, "10\n20\n0\n");
  const high = await run("ulimit -n", ({ process }) => {
    process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 900_000, hard: 900_000 }];
  });
  assert.ok(Number(high.stdout) > 1000);
});

test("sysctls of its own namespaces", { skip }, async () => {
  const { stdout } = await run("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax", ({ linux }) => {
    linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.msgmax": "9000" };
  });
  assert.equal(stdout, "1\n9000\n");
});

test("init forwards signals, reaps, passes the status on", { skip }, async () => {
  const { stdout, exitCode } = await run("ps -o pid,args; exit 7", undefined, true);
  assert.equal(exitCode, 7);
  assert.match(stdout, /1 \/sbin\/docker-init -- sh -c/);
  const launch = fixture.launch(
    ["sh", "-c", "trap 'exit 5' TERM; echo up; while true; do sleep 0.01; done"],
    (l) => {
      l.init = true;
      l.stdio.waitForAttach = 1;
    },
  );
  const shim = await fixture.runtime.start(launch);
  const attachment = await shim.attach({ stdin: false, stdout: true, stderr: true });
  for await (const { data } of attachment.output) if (data.includes("up")) break;
  await shim.signal(15);
  assert.equal((await shim.exited).exitCode, 5);
});

test("a signal's end is told as 128 and its number", { skip }, async () => {
  const { exitCode, signal } = await run("kill -USR1 $$", (spec) => setNamespace(spec, "pid"));
  assert.deepEqual({ exitCode, signal }, { exitCode: 138, signal: 10 });
});

test("namespaces of the host", { skip }, async () => {
  const network = await run("ls /sys/class/net; mount | grep -c ' /sys/fs/cgroup/unified '", (s) =>
    setNamespace(s, "network"),
  );
  assert.match(network.stdout, /^lo$/m);
  assert.match(network.stdout, /^0$/m);
  const pid = await run("ls /proc/1/status; ps | wc -l", (s) => setNamespace(s, "pid"));
  assert.ok(Number(pid.stdout.split("\n")[1]) > 5);
  assert.equal((await run("ls /dev/mqueue", (s) => setNamespace(s, "ipc"))).exitCode, 0);
  assert.notEqual((await run("hostname", (s) => setNamespace(s, "uts"))).stdout, "test\n");
  assert.match(
    (await run("cat /proc/self/cgroup", (s) => setNamespace(s, "cgroup"))).stdout,
    /pids:\/berth-test-/,
  );
  const users = await run("cat /proc/self/uid_map; touch /x; stat -c %u /x", useHostUsers);
  assert.match(users.stdout, /^ +0 +0 +4294967295\n0\n$/);
});

test("namespaces of another container", { skip }, async () => {
  const other = await fixture.runtime.start(fixture.launch(["sleep", "1000"]));
  const share = (spec: Spec, types: ["network" | "pid" | "ipc", string][]) => {
    setNamespace(spec, "user", `/proc/${other.pid}/ns/user`);
    for (const [type, file] of types) setNamespace(spec, type, `/proc/${other.pid}/ns/${file}`);
  };
  const network = await run("readlink /proc/self/ns/net; cat /proc/1/comm; touch /x; stat -c %u /x", (s) =>
    share(s, [["network", "net"]]),
  );
  assert.match(network.stdout, /^net:\[\d+\]\nsh\n0\n$/);
  const pid = await run("ps", (s) =>
    share(s, [
      ["pid", "pid"],
      ["ipc", "ipc"],
    ]),
  );
  assert.match(pid.stdout, /1 root +sleep 1000/);
  await other.signal(9);
  await other.exited;
});

test("a container that runs out of memory is told of", { skip }, async () => {
  const launch = fixture.launch(["sh", "-c", "tail /dev/zero; true"], (l) => {
    l.spec.linux.resources = { ...l.spec.linux.resources, memory: { limit: 20 << 20, swap: 20 << 20 } };
  });
  const shim = await fixture.runtime.start(launch);
  let told = 0;
  shim.onOom(() => told++);
  const status = await shim.exited;
  assert.equal(status.oomKilled, true);
  assert.ok(told > 0);
});
