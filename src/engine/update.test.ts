import assert from "node:assert/strict";
import { test } from "node:test";
import { merge } from "./update.ts";

test("what is zero or absent stays", () => {
  const current = { Memory: 100, MemorySwap: 200, CpuShares: 5, PidsLimit: 7, CpusetCpus: "0" };
  assert.deepEqual(merge(current, { Memory: 0, CpuShares: 9, CpusetCpus: "" }), { ...current, CpuShares: 9 });
  assert.equal(merge(current, { PidsLimit: 0 }).PidsLimit, 0);
  assert.equal(merge(current, {}).PidsLimit, 7);
  const policy = { Name: "always" as const, MaximumRetryCount: 0 };
  assert.deepEqual(merge(current, { RestartPolicy: policy }).RestartPolicy, policy);
});

test("contradictions are refused with dockerd's words", () => {
  const refused: [object, object, RegExp][] = [
    [{ NanoCpus: 1 }, { CpuQuota: 1 }, /CPU Quota cannot be updated as NanoCPUs has already been set/],
    [{ NanoCpus: 1 }, { CpuPeriod: 1 }, /CPU Period cannot be updated as NanoCPUs has already been set/],
    [{ CpuPeriod: 1 }, { NanoCpus: 1 }, /Nano CPUs cannot be updated as CPU Period has already been set/],
    [{ CpuQuota: 1 }, { NanoCpus: 1 }, /Nano CPUs cannot be updated as CPU Quota has already been set/],
    [{ Memory: 1, MemorySwap: 2 }, { Memory: 3 }, /smaller than already set memoryswap limit/],
    [{ AutoRemove: true }, { RestartPolicy: { Name: "always" } }, /AutoRemove is enabled/],
  ];
  for (const [current, wish, message] of refused) {
    assert.throws(() => merge(current, wish), { code: "CONFLICT", message });
  }
  assert.equal(merge({ Memory: 1, MemorySwap: 2 }, { Memory: 3, MemorySwap: 6 }).MemorySwap, 6);
  assert.equal(merge({ AutoRemove: true }, { RestartPolicy: { Name: "no" } }).RestartPolicy?.Name, "no");
});
