import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultSwap, resourcesOf } from "./resources.ts";
import { v1Host, v2Host } from "./testing.ts";
import { parseCpuList, type ResourceOptions, validateResources } from "./validate.ts";

const { support } = v1Host();
const megabyte = 1048576;

test("what cannot be is refused with dockerd's texts", () => {
  const refused: [ResourceOptions, string][] = [
    [{ NanoCpus: 1e9, CpuPeriod: 1000 }, "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
    [{ NanoCpus: 1e9, CpuQuota: 1000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
    [{ Memory: megabyte }, "Minimum memory limit allowed is 6MB"],
    [
      { Memory: 100 * megabyte, MemorySwap: 50 * megabyte },
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [
      { MemorySwap: 50 * megabyte },
      "You should always set the Memory limit when using Memoryswap limit, see usage",
    ],
    [{ CpuShares: -1 }, "shares: invalid argument"],
    [{ CpusetCpus: "7" }, "Requested CPUs are not available - requested 7, available: 0-3"],
    [{ CpusetCpus: "foo" }, "Invalid value foo for cpuset cpus: invalid format: foo"],
    [{ CpusetMems: "3" }, "Requested memory nodes are not available - requested 3, available: 0"],
    [{ NanoCpus: 8e9 }, "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available"],
    [{ MemoryReservation: megabyte }, "Minimum memory reservation allowed is 6MB"],
    [
      { Memory: 10 * megabyte, MemoryReservation: 20 * megabyte },
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [{ MemorySwappiness: 200 }, "Invalid value: 200, valid memory swappiness range is 0-100"],
    [
      { CpuPeriod: 10 },
      "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ],
    [{ CpuQuota: 10 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
    [{ BlkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
  ];
  for (const [options, message] of refused)
    assert.throws(() => validateResources(options, support), { message, code: "INVALID_PARAMETER" });
});

test("what the machine cannot do is discarded with a warning", () => {
  const bare = {
    ...support,
    memory: false,
    swap: false,
    pids: false,
    cpuset: false,
    blkioWeight: false,
    blkioThrottle: false,
    cpuShares: false,
  };
  const options: ResourceOptions = {
    Memory: 100 * megabyte,
    PidsLimit: 5,
    CpusetCpus: "0",
    BlkioWeight: 500,
    CpuShares: 5,
    BlkioDeviceReadBps: [{ Path: "/dev/x", Rate: 1 }],
  };
  assert.deepEqual(validateResources(options, bare), [
    "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
    "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
    "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
    "Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.",
    "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.",
  ]);
  assert.deepEqual(options.BlkioDeviceReadBps, []);
  assert.deepEqual(resourcesOf(options).memory?.limit, undefined);
  assert.deepEqual(validateResources({ OomKillDisable: true }, v2Host().support), [
    "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
  ]);
  assert.match(validateResources({ OomKillDisable: true }, support)[0] ?? "", /^OOM killer is disabled/);
});

test("memory alone brings twice as much with swap; an update may set swap alone", () => {
  const options: ResourceOptions = { Memory: 10 * megabyte };
  defaultSwap(options);
  assert.equal(options.MemorySwap, 20 * megabyte);
  assert.deepEqual(validateResources({ MemorySwap: 10 * megabyte }, support, { update: true }), []);
});

test("Docker's options become the specification's", () => {
  const resources = resourcesOf({ NanoCpus: 1.5e9, CpuShares: 1, PidsLimit: 0, MemorySwap: -1 });
  assert.deepEqual(resources.cpu, {
    shares: 2,
    quota: 150000,
    period: 100000,
    realtimeRuntime: undefined,
    realtimePeriod: undefined,
    cpus: undefined,
    mems: undefined,
  });
  assert.equal(resources.pids, undefined);
  assert.throws(() => resourcesOf({ BlkioDeviceReadBps: [{ Path: "/dev/nope", Rate: 1 }] }), {
    message: "stat /dev/nope: no such file or directory",
  });
});

test("CPU lists", () => {
  assert.deepEqual([...(parseCpuList("0-2,7") ?? [])], [0, 1, 2, 7]);
  for (const wrong of ["a", "3-1", "0-99999999999", "-1"]) assert.equal(parseCpuList(wrong), undefined);
});
