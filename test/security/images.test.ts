// Images whose directories are not what the engine expects where it mounts, masks and writes.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run as program, type Result, TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, type TestImage, tarOf } from "../support/images.ts";

/** Busybox with a directory replaced by a link. */
const linked = (tag: string, name: string, linkname: string): TestImage =>
  busyboxImage({
    tags: [`${tag}:latest`],
    layers: [busyboxLayer(), tarOf([{ name: `.wh.${name}` }]), tarOf([{ name, type: "symlink", linkname }])],
  });

let daemon: TestDaemon;
const corePattern = readFileSync("/proc/sys/kernel/core_pattern", "latin1");
before(async () => {
  daemon = await TestDaemon.start("hostile-images");
  const images = [
    linked("proc-link", "proc", "/tmp/p"),
    linked("dev-link", "dev", "../../../../tmp/d"),
    linked("sys-link", "sys", "/proc"),
    linked("etc-link", "etc", "/proc/sys/kernel"),
    busyboxImage({ tags: ["proc-volume:latest"], config: { Volumes: { "/proc": {} } } }),
  ];
  await daemon.ok(["load"], { input: dockerArchive(images) });
});
after(async () => {
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "latin1"), corePattern);
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const run = (image: string, options: string[], script: string): Promise<Result> =>
  daemon.docker(["run", "--rm", "--network", "none", ...options, image, "sh", "-c", script]);

for (const users of [[], ["--userns", "host"]])
  test(`the kernel's files stay covered behind links ${users.join(" ")}`, async () => {
    const probe =
      "for f in /proc/sys/kernel/core_pattern /sys/sys/kernel/core_pattern /tmp/p/sys/kernel/core_pattern; do" +
      " [ ! -e $f ] || (echo pwned > $f) 2>&1 | grep -v Read-only; done; wc -c < /proc/timer_list; ls /dev/null";
    for (const image of ["proc-link", "dev-link", "sys-link"]) {
      const { code, stdout, stderr } = await run(image, users, probe);
      assert.deepEqual([code, stdout], [0, "0\n/dev/null\n"], `${image}: ${stderr}`);
    }
    const { code } = await run("etc-link", users, "true");
    assert.notEqual(code, 0);
  });

test("an image's volume does not cover /proc", async () => {
  const { code, stderr } = await run("proc-volume", [], "true");
  assert.equal(code, 125);
  assert.match(stderr, /"\/proc" cannot be mounted because it is not of type proc/);
});

test("a /dev of one's own has to have the null device where files are covered with it", async () => {
  const dev = join(daemon.directory, "dev");
  const null_ = join(dev, "null");
  mkdirSync(dev);
  const options = ["-v", `${dev}:/dev`];
  for (const make of [
    () => symlinkSync("/proc/sys/kernel/core_pattern", null_),
    () => writeFileSync(null_, "a file to write to"),
  ]) {
    make();
    const { code, stderr } = await run("busybox", options, "true");
    assert.equal(code, 125);
    assert.match(stderr, /mask_path.*no such device/);
    unlinkSync(null_);
  }
  const made = await program("mknod", [null_, "c", "1", "3"]);
  assert.equal(made.code, 0);
  assert.equal((await run("busybox", options, "wc -c < /proc/timer_list")).stdout, "0\n");
});
