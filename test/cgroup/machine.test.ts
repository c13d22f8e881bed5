import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { applyPlan } from "../../src/runtime/cgroup/apply.ts";
import { freeze, isFrozen, thaw } from "../../src/runtime/cgroup/freeze.ts";
import { hierarchyOf } from "../../src/runtime/cgroup/layout.ts";
import { oomKillCount } from "../../src/runtime/cgroup/oom.ts";
import { planCgroup } from "../../src/runtime/cgroup/plan.ts";
import { prepareParent } from "../../src/runtime/cgroup/prepare.ts";
import { groupDirectories, killAll, moveProcess, processesOf } from "../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../src/runtime/cgroup/remove.ts";
import { cgroupStats } from "../../src/runtime/cgroup/stats.ts";
import { detectCgroups } from "../../src/runtime/cgroup/support.ts";
import { updateCgroup } from "../../src/runtime/cgroup/update.ts";
import { defaultDeviceRules } from "../../src/runtime/defaults.ts";
import type { Resources } from "../../src/runtime/oci.ts";

/** Real groups of this machine, as root; all below one parent that is removed at the end. */
const host = detectCgroups();
const parent = `/berth-test-${process.pid}`;
const skip = process.getuid?.() === 0 ? false : "needs root";

after(async () => {
  if (!skip) await removeCgroup(host, parent);
  assert.deepEqual(groupDirectories(host, parent), []);
});

function make(name: string, resources: Resources): string {
  const path = `${parent}/${name}`;
  applyPlan(planCgroup(host, path, resources, prepareParent(host, parent, resources)));
  return path;
}

function sleeper(path: string): ChildProcess {
  const child = spawn("/bin/sh", ["-c", "read go; sleep 60 & sleep 60 & wait"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  if (child.pid === undefined || !child.stdin) throw new Error("cannot start /bin/sh");
  moveProcess(host, path, child.pid);
  child.stdin.end("\n");
  return child;
}

const file = (controller: string, path: string, name: string): string => {
  const mountpoint =
    hierarchyOf(host.layout, controller)?.mountpoint ?? host.layout.unified?.mountpoint ?? "";
  return readFileSync(join(mountpoint, path, name), "latin1").trim();
};
const v1 = host.layout.mode !== "v2";

test("limits reach the kernel and follow updates in either direction", { skip }, async () => {
  const first: Resources = {
    memory: { limit: 64 << 20, swap: 128 << 20 },
    pids: { limit: 50 },
    devices: [...defaultDeviceRules],
  };
  const path = make("limits", first);
  const child = sleeper(path);
  try {
    if (v1) assert.equal(file("memory", path, "memory.limit_in_bytes"), `${64 << 20}`);
    if (v1) assert.match(file("devices", path, "devices.list"), /^c 1:3 rwm$/m);
    assert.equal(file("pids", path, "pids.max"), "50");
    const larger: Resources = {
      memory: { limit: 256 << 20, swap: 512 << 20 },
      cpu: { shares: 512, cpus: "0" },
    };
    updateCgroup(host, path, first, larger);
    if (v1) {
      assert.equal(file("memory", path, "memory.memsw.limit_in_bytes"), `${512 << 20}`);
      assert.equal(file("cpu", path, "cpu.shares"), "512");
      assert.ok(file("cpuset", path, "cgroup.procs").split("\n").includes(`${child.pid}`));
    }
    assert.equal(file("cpuset", path, "cpuset.cpus"), "0");
    assert.equal(file("pids", path, "pids.max"), "max");
    updateCgroup(host, path, larger, first);
    if (v1) assert.equal(file("memory", path, "memory.memsw.limit_in_bytes"), `${128 << 20}`);
    assert.equal(cgroupStats(host, path).memory_stats?.limit, 64 << 20);
  } finally {
    await killAll(host, path);
    await removeCgroup(host, path);
  }
  assert.deepEqual(groupDirectories(host, path), []);
});

test("a group is frozen, thawed, killed and removed, with groups inside it", { skip }, async () => {
  const path = make("frozen", {});
  make("frozen/inner", {});
  sleeper(path);
  sleeper(`${path}/inner`);
  for (let tries = 0; processesOf(host, path, { recursive: true }).length < 6; tries++) {
    assert.ok(tries < 400, "the processes do not appear in their groups");
    await delay(5);
  }
  assert.equal(processesOf(host, path).length, 3);
  await freeze(host, path);
  assert.ok(isFrozen(host, path));
  thaw(host, path);
  assert.ok(!isFrozen(host, path));
  assert.ok(await killAll(host, path));
  await removeCgroup(host, path);
  assert.ok(!existsSync(`/sys/fs/cgroup/freezer${path}`));
  await removeCgroup(host, path);
});

test("usage and OOM kills are counted", { skip }, async () => {
  const path = make("usage", { memory: { limit: 16 << 20, swap: 16 << 20 } });
  try {
    const hog = spawn("/bin/sh", ["-c", 'read go; x=aaaaaaaaaaaaaaaa; while :; do x="$x$x"; done'], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    if (hog.pid === undefined || !hog.stdin) throw new Error("cannot start /bin/sh");
    moveProcess(host, path, hog.pid);
    const exit = new Promise<NodeJS.Signals | null>((resolve) =>
      hog.on("exit", (_, signal) => resolve(signal)),
    );
    hog.stdin.end("\n");
    assert.equal(await exit, "SIGKILL");
    assert.ok(oomKillCount(host, path) > 0);
    const stats = cgroupStats(host, path);
    assert.ok((stats.cpu_stats?.cpu_usage?.total_usage ?? 0) > 0);
    assert.ok((stats.cpu_stats?.online_cpus ?? 0) > 0);
  } finally {
    await removeCgroup(host, path);
  }
});

test("a refused value is reported with its file", { skip }, async () => {
  assert.throws(() => make("refused", { cpu: { shares: 512, quota: 100, period: 100000 } }), {
    message: /^failed to write "100.*": write .*cpu\..*: invalid argument$/,
  });
  await removeCgroup(host, `${parent}/refused`);
});
