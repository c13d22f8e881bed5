import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, test } from "node:test";
import { changeGroup, createGroup, putIntoGroup, removeGroup } from "../../src/runtime/cgroup/manage.ts";
import { groupDirectories } from "../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../src/runtime/cgroup/remove.ts";
import { detectCgroups } from "../../src/runtime/cgroup/support.ts";
import { groupDetails, groupTree } from "../../src/runtime/cgroup/tree.ts";

/** Groups without containers, as root, below one parent that is removed at the end. */
const host = detectCgroups();
const parent = `/berth-test-${process.pid}`;
const skip = process.getuid?.() === 0 ? false : "needs root";
const megabytes = (count: number) => count << 20;

after(async () => {
  if (!skip) await removeCgroup(host, parent);
});

test("a group's life: made, limited, filled, changed, shown, removed", { skip }, async () => {
  const path = `${parent}/a`;
  await createGroup(host, path, { Memory: megabytes(64), MemorySwap: megabytes(128), PidsLimit: 9 });
  await assert.rejects(createGroup(host, path, {}), { code: "CONFLICT" });
  const child = spawn("/bin/sleep", ["60"]);
  assert.ok(child.pid !== undefined);
  putIntoGroup(host, path, [child.pid]);
  const shown = groupDetails(host, path);
  assert.deepEqual(shown.members, [{ pid: child.pid, command: "/bin/sleep 60" }]);
  assert.deepEqual(shown.limits, { memory: megabytes(64), memorySwap: megabytes(128), pids: 9 });

  changeGroup(host, path, { Memory: megabytes(256), NanoCpus: 0.5e9, PidsLimit: -1 });
  assert.deepEqual(groupDetails(host, path).limits, {
    memory: megabytes(256),
    memorySwap: megabytes(512),
    cpus: 0.5,
  });
  changeGroup(host, path, { Memory: -1, NanoCpus: -1 });
  assert.deepEqual(groupTree(host, parent).children[0]?.limits, {});

  await assert.rejects(removeGroup(host, parent), { code: "CONFLICT", message: /has a process \(\d+\)/ });
  await removeGroup(host, parent, true);
  assert.deepEqual(groupDirectories(host, parent), []);
});

test("what is not there, and what a refused limit leaves", { skip }, async () => {
  assert.throws(() => groupTree(host, `${parent}/none`), { code: "NOT_FOUND" });
  assert.throws(() => changeGroup(host, `${parent}/none`, {}), { code: "NOT_FOUND" });
  await createGroup(host, `${parent}/b`, {});
  assert.throws(() => putIntoGroup(host, `${parent}/b`, [2 ** 22 + 5]), { message: /^No such process/ });
  await assert.rejects(createGroup(host, `${parent}/c/d`, { CpuQuota: 1 }), { message: /invalid argument/ });
  assert.deepEqual(groupDirectories(host, `${parent}/c`), []);
  await assert.rejects(removeGroup(host, "/", true), { code: "INVALID_PARAMETER" });
});
