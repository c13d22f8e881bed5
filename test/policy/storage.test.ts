// --storage-opt size: what a container may write to its own layer, on whatever file system the data root is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { busyboxImage, dockerArchive, tarOf } from "../support/images.ts";

const megabyte = 2 ** 20;

/** Loop devices whose files are below a directory. */
function loops(directory: string): string[] {
  return execFileSync("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"])
    .toString()
    .split("\n")
    .filter((line) => line.includes(directory));
}

const write = (path: string, megabytes: number): string =>
  `dd if=/dev/zero of=${path} bs=1M count=${megabytes} 2>&1 | grep -o 'No space.*'; stat -c %s ${path}`;

for (const kind of ["the machine's disk", "tmpfs", "a disk of the container's own kind"]) {
  describe(`a container's disk on ${kind}`, () => {
    const daemon = new TestDaemon("storage");
    const mounts: string[] = [];
    const mount = (...args: string[]): void => {
      mkdirSync(daemon.dataRoot);
      execFileSync("mount", [...args, daemon.dataRoot]);
      mounts.push(daemon.dataRoot);
    };
    before(async () => {
      if (kind === "tmpfs") mount("-t", "tmpfs", "-o", "size=256m", "tmpfs");
      if (kind.includes("own kind")) {
        const image = join(daemon.directory, "disk");
        execFileSync("truncate", ["-s", "256M", image]);
        execFileSync("mkfs.ext4", ["-q", image]);
        mount("-o", "loop", image);
      }
      await daemon.up();
      await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
    });
    after(async () => {
      const ids = (await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean);
      if (ids.length > 0) await daemon.ok(["rm", "-f", ...ids]);
      await daemon.down();
      for (const path of mounts) execFileSync("umount", [path]);
      rmSync(daemon.directory, { recursive: true });
    });

    test("ends with ENOSPC at its size, and harms nobody else", async () => {
      const limited = (size: string, ...command: string[]) =>
        daemon.ok(["run", "--rm", "--storage-opt", `size=${size}`, "busybox", "sh", "-c", ...command]);
      const [message, size] = (await limited("16M", write("/full", 40))).split("\n");
      assert.equal(message, "No space left on device");
      assert.ok(Number(size) >= 16 * megabyte && Number(size) < 18 * megabyte, `${size} bytes were written`);
      assert.equal(await limited("20M", write("/x", 20)), String(20 * megabyte));
      assert.equal(
        await daemon.ok(["run", "--rm", "busybox", "sh", "-c", write("/x", 40)]),
        String(40 * megabyte),
      );
      const inside = await limited("16M", "df -k / | tail -n 1; while echo >> /f$((i=i+1)); do :; done 2>&1");
      assert.match(inside, /No space left on device/);
      const blocks = Number(/overlay\s+(\d+)/.exec(inside)?.[1]);
      assert.ok(blocks >= 16 * 1024 && blocks < 18 * 1024, inside);
    });

    test("keeps what was written over stops and ends of the daemon; copied, compared and committed", async () => {
      const options = ["--storage-opt", "size=8M", "--name", "kept"];
      const id = await daemon.ok(["run", "-d", ...options, "busybox", "sleep", "1000"]);
      await daemon.ok(["exec", "kept", "sh", "-c", "echo kept > /kept; chown 7:8 /kept"]);
      for (const signal of ["SIGKILL", "SIGTERM"] as const) {
        await daemon.down(signal);
        await daemon.up();
        assert.equal(await daemon.ok(["exec", "kept", "stat", "-c", "%u:%g", "/kept"]), "7:8");
      }
      // What is deleted is given back to the disk.
      const taken = (): number => statSync(join(daemon.dataRoot, "containers", id, "disk")).blocks * 512;
      await daemon.ok([
        "exec",
        "kept",
        "sh",
        "-c",
        "head -c 6m /dev/urandom > /large && sync && sync /large",
      ]);
      assert.ok(taken() > 6 * megabyte);
      await daemon.ok(["exec", "kept", "sh", "-c", "rm /large && sync"]);
      await until("the space is free", () => taken() < 3 * megabyte);
      await daemon.ok(["kill", "kept"]);
      for (const signal of ["SIGKILL", "SIGTERM"] as const) {
        await daemon.down(signal);
        // The kernel lets a device go a moment after its last mount.
        const expected = signal === "SIGTERM" ? 0 : 1;
        await until(`${expected} loop devices`, () => loops(daemon.dataRoot).length === expected);
        await daemon.up();
        assert.match(await daemon.ok(["diff", "kept"]), /A \/kept/);
        assert.match(await daemon.ok(["cp", "kept:/kept", "-"]), /kept\n/);
      }
      await daemon.ok(["cp", "-", "kept:/tmp"], { input: tarOf([{ name: "put", data: "put\n" }]) });
      await daemon.ok(["commit", "kept", "kept:1"]);
      const look = "cat /kept /tmp/put; stat -c %u:%g /kept";
      assert.equal(await daemon.ok(["run", "--rm", "kept:1", "sh", "-c", look]), "kept\nput\n7:8");
      await daemon.ok(["start", "kept"]);
      assert.equal(await daemon.ok(["exec", "kept", "cat", "/tmp/put"]), "put");
    });

    test("goes with the container, also when a crash left it to nobody", async () => {
      await daemon.ok(["rm", "-f", "kept"]);
      const id = await daemon.ok(["create", "--storage-opt", "size=8M", "busybox"]);
      const at = join(daemon.dataRoot, "containers", id);
      const mounted = (): boolean => readFileSync("/proc/self/mountinfo", "utf8").includes(at);
      assert.ok(mounted());
      await daemon.down("SIGKILL");
      const db = new DatabaseSync(join(daemon.dataRoot, "berth.db"));
      db.exec("DELETE FROM containers");
      db.close();
      await daemon.up();
      assert.ok(!mounted());
      await until("no loop device", () => loops(daemon.dataRoot).length === 0);
      assert.deepEqual(
        daemon.leftovers().filter((line) => !line.includes(` ${daemon.dataRoot} `)),
        [],
      );
    });
  });
}

test("a size that is none, and options that nobody knows", async () => {
  const daemon = await TestDaemon.start("storage");
  for (const [option, expected] of [
    ["size=much", "invalid size: 'much'"],
    ["size=1k", "--storage-opt size=1k is too small: a container's disk needs at least 1M"],
    ["inodes=5", "Unknown option inodes"],
  ] as const) {
    const { code, stderr } = await daemon.docker(["create", "--storage-opt", option, "busybox"]);
    assert.equal(code, 1);
    assert.equal(stderr.trim(), `Error response from daemon: ${expected}`);
  }
  await daemon.ok(["run", "--rm", "--storage-opt", "size=0", "busybox", "true"]);
  await daemon.end();
});
