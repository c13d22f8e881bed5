import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { oomKillCount } from "./oom.ts";
import { cgroupStats, machineCpu } from "./stats.ts";
import { parseBlkio } from "./stats-v1.ts";
import { v1Host, v2Host } from "./testing.ts";

function tree(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "berth-cgroup-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

test("the machine's time is what /proc/stat's first seven columns add up to", () => {
  assert.deepEqual(machineCpu("cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 1\ncpu1 1\nintr 5\n"), {
    usage: 280_000_000,
    online: 2,
  });
});

test("v1", (t) => {
  const root = tree(t, {
    "memory/g/memory.usage_in_bytes": "593920\n",
    "memory/g/memory.max_usage_in_bytes": "3551232\n",
    "memory/g/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/g/memory.failcnt": "0\n",
    "memory/g/memory.stat": "cache 61440\nswap 9\ntotal_cache 61441\nhierarchical_memory_limit 104857600\n",
    "memory/g/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cpu,cpuacct/g/cpuacct.usage": "18350775\n",
    "cpu,cpuacct/g/cpuacct.usage_percpu": "3243182 15107593 \n",
    "cpu,cpuacct/g/cpuacct.stat": "user 1\nsystem 2\n",
    "cpu,cpuacct/g/cpu.stat": "nr_periods 5\nnr_throttled 3\nthrottled_time 7\n",
    "pids/g/pids.current": "1\n",
    "pids/g/pids.max": "max\n",
    "blkio/g/blkio.throttle.io_service_bytes_recursive": "254:0 Read 4096\n254:0 Total 4096\nTotal 4096\n",
  });
  const host = v1Host({}, root);
  const stats = cgroupStats(host, "/g");
  assert.deepEqual(stats.cpu_stats?.cpu_usage, {
    total_usage: 18350775,
    percpu_usage: [3243182, 15107593],
    usage_in_kernelmode: 20_000_000,
    usage_in_usermode: 10_000_000,
  });
  assert.deepEqual(stats.cpu_stats?.throttling_data, { periods: 5, throttled_periods: 3, throttled_time: 7 });
  assert.deepEqual(stats.memory_stats, {
    usage: 593920,
    max_usage: 3551232,
    stats: { cache: 61440, hierarchical_memory_limit: 104857600, total_cache: 61441 },
    limit: totalmem(),
  });
  assert.deepEqual(stats.pids_stats, { current: 1 });
  assert.equal(stats.blkio_stats?.io_service_bytes_recursive?.[0]?.value, 4096);
  assert.equal(oomKillCount(host, "/g"), 2);
});

test("v2", (t) => {
  const root = tree(t, {
    "g/memory.current": "1000\n",
    "g/memory.max": "2000\n",
    "g/memory.stat": "anon 5\nworkingset_refault_anon 1\nworkingset_refault_file 2\nzswap 7\n",
    "g/memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n",
    "g/cpu.stat":
      "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 1\nnr_throttled 1\nthrottled_usec 4\n",
    "g/io.stat": "254:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n",
    "g/pids.current": "3\n",
    "g/pids.max": "100\n",
  });
  const stats = cgroupStats(v2Host(root), "/g");
  assert.equal(stats.cpu_stats?.cpu_usage?.total_usage, 30000);
  assert.equal(stats.cpu_stats?.throttling_data?.throttled_time, 4000);
  assert.equal(stats.memory_stats?.limit, 2000);
  assert.equal(stats.memory_stats?.stats?.workingset_refault, 3);
  assert.equal(stats.memory_stats?.stats?.zswap, undefined);
  assert.deepEqual(stats.blkio_stats?.io_service_bytes_recursive, [
    { major: 254, minor: 0, op: "read", value: 10 },
    { major: 254, minor: 0, op: "write", value: 20 },
  ]);
  assert.deepEqual(stats.pids_stats, { current: 3, limit: 100 });
  assert.equal(oomKillCount(v2Host(root), "/g"), 1);
});

test("a group that is gone has used nothing", () => {
  assert.equal(cgroupStats(v1Host({}, "/nowhere"), "/g").memory_stats?.usage, 0);
  assert.equal(cgroupStats(v2Host("/nowhere"), "/g").pids_stats?.current, 0);
  assert.deepEqual(parseBlkio("Total 0\n"), []);
});
