// Every limit by docker's options, as the kernel's files have it in either version of control groups.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { hierarchyOf } from "../../src/runtime/cgroup/layout.ts";
import { detectCgroups } from "../../src/runtime/cgroup/support.ts";
import { major, minor } from "../../src/runtime/devices.ts";
import { TestDaemon, until } from "../support/daemon.ts";

const host = detectCgroups();
const v2 = host.layout.mode === "v2";
let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("group-files");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

type Expectation = [file: string, value: string];
/** What options make of a group's files: v1's, v2's. */
type Row = [options: string[], v1: Expectation[], v2: Expectation[]];

/** A file of a container's group: "memory.max". */
function groupFile(id: string, file: string): string {
  const controller = file.split(".", 1)[0] ?? "";
  const tree = v2 ? host.layout.unified : hierarchyOf(host.layout, controller);
  return join(tree?.mountpoint ?? "", daemon.cgroupParent, id, file);
}

function check(id: string, [options, v1Files, v2Files]: Row): void {
  for (const [file, value] of v2 ? v2Files : v1Files)
    assert.equal(
      readFileSync(groupFile(id, file), "latin1").trim(),
      value,
      `${file} by ${options.join(" ")}`,
    );
}

const given: Row[] = [
  [["--memory", "64m"], [["memory.limit_in_bytes", "67108864"]], [["memory.max", "67108864"]]],
  [
    ["--memory-swap", "96m"],
    [["memory.memsw.limit_in_bytes", "100663296"]],
    [["memory.swap.max", "33554432"]],
  ],
  [
    ["--memory-reservation", "32m"],
    [["memory.soft_limit_in_bytes", "33554432"]],
    [["memory.low", "33554432"]],
  ],
  [["--cpu-shares", "512"], [["cpu.shares", "512"]], [["cpu.weight", "59"]]],
  [
    ["--cpu-period", "50000", "--cpu-quota", "25000"],
    [
      ["cpu.cfs_period_us", "50000"],
      ["cpu.cfs_quota_us", "25000"],
    ],
    [["cpu.max", "25000 50000"]],
  ],
  [["--cpuset-cpus", "0"], [["cpuset.cpus", "0"]], [["cpuset.cpus", "0"]]],
  [["--cpuset-mems", "0"], [["cpuset.mems", "0"]], [["cpuset.mems", "0"]]],
  [["--pids-limit", "33"], [["pids.max", "33"]], [["pids.max", "33"]]],
];
if (host.support.blkioWeight) given.push(weight("300", "2930"));

/** v2 has two weights: io.weight of the cost model and, where the scheduler is loaded, BFQ's. */
function weight(docker: string, cost: string): Row {
  const files: Expectation[] = [["io.weight", `default ${cost}`]];
  if (v2 && host.support.bfq) files.push(["io.bfq.weight", `default ${docker}`]);
  return [["--blkio-weight", docker], [["blkio.bfq.weight", docker]], files];
}

const changed: Row[] = [
  [["--memory", "128m"], [["memory.limit_in_bytes", "134217728"]], [["memory.max", "134217728"]]],
  [["--memory-swap", "128m"], [["memory.memsw.limit_in_bytes", "134217728"]], [["memory.swap.max", "0"]]],
  [
    ["--memory-reservation", "16m"],
    [["memory.soft_limit_in_bytes", "16777216"]],
    [["memory.low", "16777216"]],
  ],
  [["--cpu-shares", "2048"], [["cpu.shares", "2048"]], [["cpu.weight", "174"]]],
  [
    ["--cpu-period", "20000", "--cpu-quota", "30000"],
    [
      ["cpu.cfs_period_us", "20000"],
      ["cpu.cfs_quota_us", "30000"],
    ],
    [["cpu.max", "30000 20000"]],
  ],
  [
    ["--cpuset-cpus", host.support.cpus],
    [["cpuset.cpus", host.support.cpus]],
    [["cpuset.cpus", host.support.cpus]],
  ],
  [["--pids-limit", "-1"], [["pids.max", "max"]], [["pids.max", "max"]]],
];
if (host.support.blkioWeight) changed.push(weight("1000", "10000"));

const flags = (rows: Row[]): string[] => rows.flatMap(([options]) => options);

const realTime = "cpu.rt_period_us";
const cpu = hierarchyOf(host.layout, "cpu")?.mountpoint;
const noRealTime =
  cpu && existsSync(join(cpu, realTime)) ? false : "this kernel does not share out real-time scheduling";

// First, while no other container needs a group of this kind.
test("a period of real-time scheduling alone", { skip: noRealTime }, async () => {
  const id = await daemon.ok(["run", "-d", "--cpu-rt-period", "500000", "busybox", "sleep", "600"]);
  check(id, [["--cpu-rt-period", "500000"], [[realTime, "500000"]], []]);
  await daemon.ok(["rm", "-f", id]);
});

test("every limit is in its file; update changes them; a restart keeps the change", async () => {
  const id = await daemon.ok(["run", "-d", "--name", "all", ...flags(given), "busybox", "sleep", "600"]);
  for (const row of given) check(id, row);
  await daemon.ok(["update", ...flags(changed), "all"]);
  for (const row of changed) check(id, row);
  await daemon.ok(["restart", "-t", "0", "all"]);
  for (const row of changed) check(id, row);
  await daemon.ok(["rm", "-f", "all"]);
  assert.ok(!existsSync(groupFile(id, "pids.max")));
});

test("--cpus; memory alone brings as much swap; -1 is no limit of swap", async () => {
  const rows: Row[] = [
    [["--cpus", "1.5"], [["cpu.cfs_quota_us", "150000"]], [["cpu.max", "150000 100000"]]],
    [["--memory", "32m"], [["memory.memsw.limit_in_bytes", "67108864"]], [["memory.swap.max", "33554432"]]],
  ];
  const id = await daemon.ok(["run", "-d", "--name", "some", ...flags(rows), "busybox", "sleep", "600"]);
  for (const row of rows) check(id, row);
  const v1None = String(2n ** 63n - 4096n);
  const lifted: Row[] = [
    [["--memory-swap", "-1"], [["memory.memsw.limit_in_bytes", v1None]], [["memory.swap.max", "max"]]],
    [["--cpus", "0.25"], [["cpu.cfs_quota_us", "25000"]], [["cpu.max", "25000 100000"]]],
  ];
  await daemon.ok(["update", ...flags(lifted), "some"]);
  for (const row of lifted) check(id, row);
  await daemon.ok(["rm", "-f", "some"]);
});

/** A disk of this machine. */
const disk = ["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/xvda", "/dev/loop0"].find(
  (path) => existsSync(path) && statSync(path).isBlockDevice(),
);

test("rates of block devices", { skip: disk ? false : "needs a block device" }, async () => {
  const { rdev } = statSync(disk ?? "");
  const device = `${major(rdev)}:${minor(rdev)}`;
  const rows: Row[] = [
    [[`--device-read-bps=${disk}:1mb`], [["blkio.throttle.read_bps_device", `${device} 1048576`]], []],
    [[`--device-write-bps=${disk}:2mb`], [["blkio.throttle.write_bps_device", `${device} 2097152`]], []],
    [[`--device-read-iops=${disk}:100`], [["blkio.throttle.read_iops_device", `${device} 100`]], []],
    [
      [`--device-write-iops=${disk}:200`],
      [["blkio.throttle.write_iops_device", `${device} 200`]],
      [["io.max", `${device} rbps=1048576 wbps=2097152 riops=100 wiops=200`]],
    ],
  ];
  const { stdout } = await daemon.berth([
    ...["run", "-d", "--name", "slow", ...flags(rows)],
    ...["busybox", "sleep", "600"],
  ]);
  for (const row of rows) check(stdout.trim(), row);
  await daemon.ok(["rm", "-f", "slow"]);
});

test("pausing is in the freezer's file; a kill reaches what is frozen", async () => {
  const id = await daemon.ok(["run", "-d", "--name", "still", "busybox", "sleep", "600"]);
  const frozen = (): boolean =>
    v2
      ? /^frozen 1$/m.test(readFileSync(groupFile(id, "cgroup.events"), "latin1"))
      : readFileSync(groupFile(id, "freezer.state"), "latin1").trim() === "FROZEN";
  await daemon.ok(["pause", "still"]);
  assert.ok(frozen());
  await daemon.ok(["unpause", "still"]);
  assert.ok(!frozen());
  await daemon.ok(["pause", "still"]);
  await daemon.ok(["kill", "still"]);
  assert.equal(
    await daemon.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "still"]),
    "exited 137",
  );
  await daemon.ok(["rm", "still"]);
});

test("without a process namespace of its own the whole group ends with a container", async () => {
  const script = "sleep 601 & setsid sleep 602 & exec sleep 603";
  const id = await daemon.ok([
    ...["run", "-d", "--name", "shared", "--pid", "host", "busybox", "sh", "-c", script],
  ]);
  const procs = join(dirname(groupFile(id, "memory.x")), "cgroup.procs");
  let members: string[] = [];
  await until("all three run", () => {
    members = readFileSync(procs, "latin1").split("\n").filter(Boolean);
    return members.length === 3;
  });
  await daemon.ok(["rm", "-f", "shared"]);
  await until("all are gone", () => members.every((pid) => !existsSync(`/proc/${pid}`)));
});

test("an exec is in every group of its container", async () => {
  await daemon.ok(["run", "-d", "--name", "joined", "-m", "64m", "--cpus", "1", "busybox", "sleep", "600"]);
  const pid = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "joined"]);
  await daemon.ok(["exec", "-d", "joined", "sleep", "604"]);
  const top = await daemon.ok(["top", "joined", "-o", "pid,args"]);
  const other = /(\d+)\s+sleep 604/.exec(top)?.[1] ?? "";
  const groups = (id: string): string => readFileSync(`/proc/${id}/cgroup`, "latin1");
  assert.equal(groups(other), groups(pid));
  await daemon.ok(["rm", "-f", "joined"]);
});
