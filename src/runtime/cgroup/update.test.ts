import assert from "node:assert/strict";
import { test } from "node:test";
import type { Resources } from "../oci.ts";
import { v1Host, v2Host } from "./testing.ts";
import { planUpdate } from "./update.ts";

const path = "/berth/abc";
const steps = (before: Resources, after: Resources, host = v1Host(), exists = () => true) =>
  planUpdate(host, path, before, after, { cpus: "0-3", mems: "0" }, exists).writes.map(
    (write) => `${write.path.slice(write.path.lastIndexOf("/") + 1)}=${write.values.join()}`,
  );

test("v1 memory is raised from the sum down and lowered from the part up", () => {
  const small = { memory: { limit: 100, swap: 200 } };
  const large = { memory: { limit: 300, swap: 600 } };
  const up = ["memory.memsw.limit_in_bytes=600", "memory.limit_in_bytes=300"];
  assert.deepEqual(steps(small, large), up);
  assert.deepEqual(steps(large, small), ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=200"]);
  assert.deepEqual(steps({}, small), ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=200"]);
  assert.deepEqual(steps(small, {}), ["memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=-1"]);
});

test("v1 cpu quota and period keep their ratio within both", () => {
  const long = { cpu: { period: 100000, quota: 50000 } };
  const short = { cpu: { period: 10000, quota: 5000 } };
  assert.deepEqual(steps(long, short), ["cpu.cfs_quota_us=5000", "cpu.cfs_period_us=10000"]);
  assert.deepEqual(steps(short, long), ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"]);
});

test("what did not change is not written, what is no longer limited is lifted", () => {
  assert.deepEqual(steps({ pids: { limit: 5 } }, { pids: { limit: 5 }, cpu: { shares: 10 } }), [
    "cpu.shares=10",
  ]);
  assert.deepEqual(steps({ pids: { limit: 5 }, cpu: { cpus: "1" } }, {}), [
    "cpuset.cpus=0-3",
    "cpuset.mems=0",
    "pids.max=max",
  ]);
});

test("v1 groups that were not needed so far are made", () => {
  const exists = (directory: string) => !directory.includes("cpuset");
  const update = planUpdate(v1Host(), path, {}, { cpu: { mems: "0" } }, { cpus: "0-3", mems: "0" }, exists);
  assert.deepEqual(update.dirs, ["/cg/cpuset/berth/abc"]);
  assert.deepEqual(
    update.writes.map((write) => write.values[0]),
    ["0-3", "0"],
  );
});

test("v2", () => {
  const before = { memory: { limit: 100, swap: 200 }, cpu: { shares: 1024 } };
  const after = { memory: { limit: 100, swap: -1 }, pids: { limit: 3 } };
  assert.deepEqual(steps(before, after, v2Host()), ["memory.swap.max=max", "pids.max=3", "cpu.weight=100"]);
});
