import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultDeviceRules, privilegedDeviceRules } from "../defaults.ts";
import type { Resources } from "../oci.ts";
import { planCgroup } from "./plan.ts";
import { blkioToIoWeight, sharesToWeight } from "./plan-v2.ts";
import { v1Host, v2Host } from "./testing.ts";

const path = "/berth/abc";
const told = (resources: Resources, host = v1Host()): Record<string, string[]> =>
  Object.fromEntries(
    planCgroup(host, path, resources).writes.map((write) => [
      write.path.replace(/^.*\/berth\/abc\//, ""),
      write.values,
    ]),
  );

test("v1 without limits: only groups that account or guard, and nothing to write", () => {
  const plan = planCgroup(v1Host(), path, { devices: [...privilegedDeviceRules] });
  assert.deepEqual(plan.dirs, [
    "/cg/cpu,cpuacct/berth/abc",
    "/cg/memory/berth/abc",
    "/cg/devices/berth/abc",
    "/cg/blkio/berth/abc",
    "/cg/pids/berth/abc",
  ]);
  assert.deepEqual(plan.writes, []);
  assert.deepEqual(plan.joins[1], "/cg/memory/berth/abc/tasks");
  assert.equal(plan.cloneInto, undefined);
});

test("v1 devices: everything refused, then rule by rule", () => {
  const writes = planCgroup(v1Host(), path, { devices: [...defaultDeviceRules] }).writes;
  assert.deepEqual(writes[0], { path: "/cg/devices/berth/abc/devices.deny", values: ["a"] });
  assert.equal(writes.length, 2);
  assert.deepEqual(writes[1]?.values.slice(0, 3), ["c *:* m", "b *:* m", "c 1:3 rwm"]);
  assert.equal(writes[1]?.values.at(-1), "c 136:* rwm");
});

test("v1 limits", () => {
  const plan = planCgroup(v1Host(), path, { memory: { limit: 100, swap: 200, reservation: 50 } });
  assert.deepEqual(
    plan.writes.map((write) => write.path.slice("/cg/memory/berth/abc/".length)),
    ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"],
  );
  assert.deepEqual(told({ memory: { limit: 100, swap: -1 } }), { "memory.limit_in_bytes": ["100"] });
  assert.deepEqual(told({ memory: { limit: 100, swap: 200 } }, v1Host({ swap: false })), {
    "memory.limit_in_bytes": ["100"],
  });
  assert.deepEqual(told({ cpu: { shares: 512, quota: 50000, period: 100000 }, pids: { limit: 7 } }), {
    "cpu.shares": ["512"],
    "cpu.cfs_period_us": ["100000"],
    "cpu.cfs_quota_us": ["50000"],
    "pids.max": ["7"],
  });
  assert.deepEqual(told({ pids: { limit: -1 } }), {});
});

test("v1 cpuset takes the parent's list for what is not asked for", () => {
  const parent = { cpus: "0-1", mems: "0-7" };
  const plan = planCgroup(v1Host(), path, { cpu: { cpus: "1" } }, parent);
  assert.ok(plan.dirs.includes("/cg/cpuset/berth/abc"));
  assert.deepEqual(
    plan.writes.map((write) => write.values[0]),
    ["1", "0-7"],
  );
});

test("v1 block I/O", () => {
  const limit = { major: 8, minor: 0, rate: 1024 };
  const files = told({
    blockIO: { weight: 300, throttleReadBpsDevice: [limit], throttleWriteIOPSDevice: [limit] },
  });
  assert.deepEqual(files["blkio.throttle.read_bps_device"], ["8:0 1024"]);
  assert.deepEqual(files["blkio.throttle.write_iops_device"], ["8:0 1024"]);
  assert.deepEqual(files["blkio.bfq.weight"], ["300"]);
});

test("unified resources need their controller in the v2 tree", () => {
  const host = v1Host();
  assert.throws(() => planCgroup(host, path, { unified: { "hugetlb.2MB.max": "0" } }), /not available/);
  host.layout.unified = { mountpoint: "/cg/unified", controllers: ["hugetlb"], own: "/" };
  const plan = planCgroup(host, path, { unified: { "hugetlb.2MB.max": "0" } });
  assert.equal(plan.cloneInto, "/cg/unified/berth/abc");
  assert.deepEqual(plan.writes.at(-1), {
    path: "/cg/unified/berth/abc/hugetlb.2MB.max",
    values: ["0"],
  });
  assert.throws(() => planCgroup(host, path, { unified: { "hugetlb/../x": "0" } }), /no slashes/);
});

test("a hybrid machine without a v1 controller for devices guards them in its v2 tree", () => {
  const host = v1Host();
  host.layout.hierarchies = host.layout.hierarchies.filter(
    ({ controllers }) => !controllers.includes("devices"),
  );
  host.layout.unified = { mountpoint: "/cg/unified", controllers: [], own: "/" };
  const plan = planCgroup(host, path, { devices: [...defaultDeviceRules] });
  assert.equal(plan.deviceFilter?.dir, "/cg/unified/berth/abc");
  assert.equal(plan.cloneInto, "/cg/unified/berth/abc");
  assert.equal(planCgroup(host, path, { devices: [...privilegedDeviceRules] }).cloneInto, undefined);
});

test("v2 limits in v2 terms", () => {
  const host = v2Host();
  assert.deepEqual(
    told(
      {
        memory: { limit: 100, swap: 150, reservation: 50 },
        cpu: { shares: 1024, quota: 50000, cpus: "0" },
        pids: { limit: 9 },
        blockIO: {
          weight: 1000,
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 6 }],
        },
        unified: { "memory.high": "90" },
      },
      host,
    ),
    {
      "memory.max": ["100"],
      "memory.swap.max": ["50"],
      "memory.low": ["50"],
      "cpu.weight": ["100"],
      "cpu.max": ["50000 100000"],
      "cpuset.cpus": ["0"],
      "pids.max": ["9"],
      "io.bfq.weight": ["1000"],
      "io.weight": ["default 10000"],
      "io.max": ["8:0 rbps=5", "8:0 wiops=6"],
      "memory.high": ["90"],
    },
  );
  assert.deepEqual(told({ memory: { limit: 100, swap: -1 } }, host)["memory.swap.max"], ["max"]);
  assert.throws(() => told({ memory: { swap: 10 } }, host), /swap limit without memory limit/);
});

test("v2 weights of single devices are BFQ's where it is there", () => {
  const resources = { blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 1000 }] } };
  assert.deepEqual(told(resources, v2Host()), { "io.bfq.weight": ["8:0 1000"] });
  assert.deepEqual(told(resources, v2Host("/cg", { bfq: false })), { "io.weight": ["8:0 10000"] });
});

test("v2 puts the process in by clone and guards devices by program", () => {
  const plan = planCgroup(v2Host(), path, { devices: [...defaultDeviceRules] });
  assert.deepEqual([plan.dirs, plan.joins, plan.cloneInto], [["/cg/berth/abc"], [], "/cg/berth/abc"]);
  assert.ok(plan.deviceFilter);
  assert.equal(planCgroup(v2Host(), path, { devices: [...privilegedDeviceRules] }).deviceFilter, undefined);
});

test("a v2 tree without a controller is not told of it", () => {
  const host = v2Host();
  if (host.layout.unified) host.layout.unified.controllers = ["pids"];
  assert.deepEqual(told({ memory: { limit: 100 }, pids: { limit: 3 } }, host), { "pids.max": ["3"] });
});

test("shares and weights meet at their ends and defaults", () => {
  assert.deepEqual([2, 1024, 262144].map(sharesToWeight), [1, 100, 10000]);
  assert.deepEqual([10, 1000].map(blkioToIoWeight), [1, 10000]);
  for (let shares = 3, last = 1; shares < 262144; shares *= 2) {
    const weight = sharesToWeight(shares);
    assert.ok(weight >= last);
    last = weight;
  }
});
