// Containers that were given rights of their own user namespace: they reach nothing of the host with them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Result, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("rights");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const unconfined = ["--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"];
const rights: Record<string, string[]> = {
  "the right to administer": ["--cap-add", "SYS_ADMIN"],
  "all rights": ["--cap-add", "ALL", ...unconfined],
};

const run = (options: string[], script: string): Promise<Result> =>
  daemon.docker(["run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", script]);

/** The groups of a process, by hierarchy. */
const groupsOf = (pid: string): string[] =>
  readFileSync(`/proc/${pid}/cgroup`, "latin1")
    .trim()
    .split("\n")
    .map((line) => line.split(":").slice(2).join(":"));

// In a hierarchy where it had no group of its own it would see all groups of the host.
describe("who may mount control groups has a group of its own in every hierarchy", () => {
  const cases = { ...rights, "no filter": ["--security-opt", "seccomp=unconfined"] };
  for (const [name, options] of Object.entries(cases))
    test(name, async () => {
      const id = await daemon.ok(["run", "-d", "--network", "none", ...options, "busybox", "sleep", "600"]);
      const first = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", id]);
      await daemon.ok(["exec", "-d", id, "sleep", "601"]);
      const pids = (await daemon.ok(["top", id, "-o", "pid"])).split("\n").slice(1);
      assert.equal(pids.length, 2);
      assert.ok(pids.includes(first));
      for (const pid of pids)
        for (const group of groupsOf(pid)) assert.match(group, new RegExp(`/${id}$`), `${groupsOf(pid)}`);
      await daemon.ok(["rm", "-f", id]);
    });
});

/** Prints what was possible of what is to fail. */
const attempts = `
  try() { (eval "$1") > /dev/null 2>&1 && echo "possible: $1"; }
  mkdir /g /p /s
  for kind in memory cpu cpuset freezer devices blkio pids; do
    mount -t cgroup -o $kind x /g 2>/dev/null || continue
    ls -d /g/*/ 2>/dev/null
    try 'mkdir /g/mine'
    try 'echo /x > /g/release_agent'
    try 'echo 1 > /g/notify_on_release'
    try 'echo a > /g/devices.allow'
    try 'echo 0 > /g/cgroup.procs'
    umount /g
  done
  if mount -t cgroup2 x /g 2>/dev/null; then
    ls -d /g/*/ 2>/dev/null
    try 'mkdir /g/mine'
    try 'echo 0 > /g/cgroup.procs'
    try 'echo +pids > /g/cgroup.subtree_control'
    umount /g
  fi
  mount -t proc x /p
  for setting in kernel/core_pattern kernel/modprobe kernel/printk vm/overcommit_memory fs/suid_dumpable; do
    try "cat /p/sys/$setting > /tmp/v && cat /tmp/v > /p/sys/$setting"
  done
  try 'echo h > /p/sysrq-trigger'
  try 'head -c 1 /p/kcore'
  mount -t sysfs x /s
  for file in kernel/mm/transparent_hugepage/enabled kernel/uevent_helper power/state block/*/uevent; do
    test -e /s/$file && try "echo x > /s/$file"
  done
  for type in devtmpfs debugfs tracefs securityfs bpf pstore hugetlbfs; do try "mount -t $type x /tmp"; done
  for node in 'b 254 0' 'b 8 0' 'c 1 1' 'c 1 11' 'c 10 229'; do try "mknod /tmp/node $node"; done
  try 'dmesg'
  try 'swapon /etc/passwd'
  try 'renice -n -20 1'
  try 'echo -1000 > /proc/self/oom_score_adj'
  for disk in /disks/*d[ab] /disks/sd? /disks/mem /disks/kmsg; do test -e $disk && try "head -c 1 $disk"; done
  for disk in /disks/*d[ab]; do test -b $disk && try "mount $disk /tmp"; done
  echo done`;

describe("the host's groups, settings, devices and file systems", () => {
  for (const [name, options] of Object.entries(rights))
    test(name, async () => {
      assert.equal((await run([...options, "-v", "/dev:/disks"], attempts)).stdout, "done\n");
    });
});

const noFuse = existsSync("/dev/fuse") ? false : "this kernel has no FUSE";

test("a file system that nobody serves stops neither engine nor exec", { skip: noFuse }, async () => {
  const program = join(daemon.directory, "serve-etc");
  execFileSync("cc", ["-static", "-o", program, join(import.meta.dirname, "serve-etc.c")]);
  const options = ["--cap-add", "SYS_ADMIN", "--device", "/dev/fuse", "-v", `${program}:/serve`];
  const id = await daemon.ok(["run", "-d", ...options, "busybox", "/serve"]);
  await until("it is mounted", async () => (await daemon.ok(["logs", id])) === "covered");
  assert.equal(await daemon.ok(["exec", id, "echo", "here"]), "here");
  const { code, stdout } = await daemon.docker(["exec", "-u", "somebody", id, "true"]);
  assert.deepEqual([code, /unable to find user somebody/.test(stdout)], [126, true]);
  await daemon.ok(["rm", "-f", id]);
});
