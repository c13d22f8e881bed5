// Images whose directories are not what the engine expects where it mounts, masks and writes.
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run as program, type Result, TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, type TestImage, tarOf } from "../support/images.ts";
import { treeOf } from "../support/tree.ts";

/** Busybox with a directory replaced by a link. */
const linked = (tag: string, name: string, linkname: string): TestImage =>
  busyboxImage({
    tags: [`${tag}:latest`],
    layers: [busyboxLayer(), tarOf([{ name: `.wh.${name}` }]), tarOf([{ name, type: "symlink", linkname }])],
  });

const outside = mkdtempSync(join(tmpdir(), "berth-outside-"));
let daemon: TestDaemon;
const corePattern = readFileSync("/proc/sys/kernel/core_pattern", "latin1");
before(async () => {
  daemon = await TestDaemon.start("hostile-images");
  const images = [
    linked("proc-link", "proc", "/tmp/p"),
    linked("dev-link", "dev", "../../../../tmp/d"),
    linked("sys-link", "sys", "/proc"),
    busyboxImage({ tags: ["proc-volume:latest"], config: { Volumes: { "/proc": {} } } }),
  ];
  await daemon.ok(["load"], { input: dockerArchive(images) });
});
after(async () => {
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "latin1"), corePattern);
  await daemon.end();
  rmSync(outside, { recursive: true });
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
  });

/** Where links lead: into the image, nowhere, out of it, round in circles, into what the kernel shows. */
const leads = (own: string): string[] => [
  "/srv",
  "srv",
  "/srv/file",
  "nowhere",
  "/nowhere/at/all",
  `../../../../../..${outside}`,
  outside,
  `${outside}/new/place`,
  own,
  "/proc/self/cwd",
  "/proc/1/root/tmp",
  "/dev",
];

const replaced = ["etc", "dev", "proc", "sys", "tmp"];
const inside =
  "etc/hosts etc/resolv.conf etc/hostname etc/mtab .dockerenv dev/shm dev/pts dev/mqueue dev/console";

function linkedImages(): TestImage[] {
  const images: TestImage[] = [];
  for (const name of [...replaced, ...inside.split(" ")])
    for (const linkname of replaced.includes(name) ? [...leads(`/${name}`), null] : [outside, `/${name}`]) {
      const members = [
        { name: "srv/file", data: "inside\n" },
        linkname === null
          ? { name, data: "a file" }
          : { name, type: "symlink" as const, linkname, mode: 0o777 },
      ];
      const below = replaced.includes(name) ? [tarOf([{ name: `.wh.${name}` }])] : [];
      images.push(
        busyboxImage({
          tags: [`linked:${images.length}`],
          layers: [busyboxLayer(), ...below, tarOf(members)],
          config: { Labels: { what: `${name} -> ${linkname}` } },
        }),
      );
    }
  return images;
}

test("whatever is a link where the engine mounts: the container starts, and nothing outside is touched", async () => {
  writeFileSync(join(outside, "kept"), "kept");
  const before = treeOf(outside);
  const images = linkedImages();
  await daemon.ok(["load"], { input: dockerArchive(images) });
  const script =
    "cat /etc/hostname; grep -c localhost /etc/hosts; wc -c < /proc/timer_list; ls /dev/null /dev/pts/ptmx;" +
    " echo x > /dev/shm/x && ls /dev/shm; touch /sys/x 2>/dev/null || echo read-only; for f in /etc /dev /proc /sys; do readlink $f; done";
  const expected = "here\n2\n0\n/dev/null\n/dev/pts/ptmx\nx\nread-only\n";
  const check = async (image: TestImage, users: string[]): Promise<void> => {
    const { stdout, stderr } = await run(image.tags?.[0] ?? "", [...users, "-h", "here"], script);
    assert.equal(stdout, expected, `${JSON.stringify(image.config)} ${users}: ${stderr}`);
  };
  for (const image of images) await Promise.all([check(image, []), check(image, ["--userns", "host"])]);
  assert.deepEqual(treeOf(outside), before);
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
