// docker cp, export and diff: what dockerd answers, for containers that run and that do not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { dockerArchive, tarOf } from "../support/images.ts";
import { archiveUrl, call, layers, listing, message, pathStat } from "./support.ts";

let daemon: TestDaemon;
let directory: string;
before(async () => {
  daemon = await TestDaemon.start("files-copy");
  await daemon.ok(["load"], { input: dockerArchive([{ tags: ["data:latest"], layers: layers() }]) });
  directory = mkdtempSync(join(tmpdir(), "berth-files-copy-"));
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
  rmSync(directory, { recursive: true, force: true });
});

const get = (container: string, path: string) => call(daemon.socket, "GET", archiveUrl(container, path));
const put = (container: string, path: string, archive: Buffer, more = "") =>
  call(daemon.socket, "PUT", archiveUrl(container, path, more), archive);

const contents = (prefix: string): string[] => [
  `directory 755 33:44 ${prefix}`,
  `file 644 33:44 3 ${prefix}file`,
  `link 644 33:44 ${prefix}hard -> ${prefix === "./" ? "" : prefix}file`,
  `symlink 777 0:0 ${prefix}link -> file`,
  `directory 755 0:0 ${prefix}sub/`,
  `file 644 0:0 2 ${prefix}sub/x`,
];

for (const state of ["created", "running", "exited"]) {
  describe(`a container that is ${state}`, () => {
    const name = `c-${state}`;
    before(async () => {
      await daemon.ok(["create", "--name", name, "data", "sleep", state === "exited" ? "0" : "1000"]);
      if (state === "running") await daemon.ok(["start", name]);
      if (state === "exited") await daemon.ok(["start", "-a", name]);
    });

    test("directories are named by the path's last component", async () => {
      assert.deepEqual(await listing((await get(name, "/data")).body), contents("data/"));
      assert.deepEqual(await listing((await get(name, "data/")).body), contents("data/"));
      assert.deepEqual(await listing((await get(name, "/data/.")).body), contents("./"));
      assert.deepEqual(await listing((await get(name, "absl/")).body), contents("absl/"));
      assert.deepEqual(await listing((await get(name, "/bin/../../data")).body), contents("data/"));
    });

    test("links are followed on the way, not at the end", async () => {
      const link = await get(name, "/absl");
      assert.deepEqual(await listing(link.body), ["symlink 777 0:0 absl -> /data"]);
      const { mtime: _, ...stat } = pathStat(link);
      assert.deepEqual(stat, { name: "absl", size: 5, mode: 134218239, linkTarget: "/data" });
      assert.equal(pathStat(await get(name, "/etc/rel")).linkTarget, "/data/sub");
      assert.deepEqual(await listing((await get(name, "/etc/rel/x")).body), ["file 644 0:0 2 x"]);
    });

    test("the root, and what is missing", async () => {
      const root = await listing((await get(name, "/")).body);
      assert.equal(root[0], "directory 755 0:0 /");
      assert.ok(root.includes("file 644 33:44 3 /data/file"));
      const nothing = await get(name, "/nope");
      assert.equal(nothing.status, 404);
      assert.equal(message(nothing), `Could not find the file /nope in container ${name}`);
      assert.equal((await call(daemon.socket, "HEAD", archiveUrl(name, "/nope"))).status, 404);
      const { mode, linkTarget } = pathStat(await call(daemon.socket, "HEAD", archiveUrl(name, "/data")));
      assert.deepEqual([mode, linkTarget], [2147484141, ""]);
      assert.equal((await get(name, "/data/file/")).status, 500);
    });

    test("files keep owner, mode and time when put; directories merge", async () => {
      const archive = tarOf([
        { name: "own", data: "abc", uid: 1234, gid: 567, mode: 0o4755 },
        { name: "deep/er/f", data: "x", uid: 33 },
        { name: "sub/", type: "directory", mode: 0o700 },
        { name: "ff", type: "fifo", mode: 0o600 },
        { name: ".wh.file", data: "" },
      ]);
      assert.equal((await put(name, "/absl", archive)).status, 200);
      const now = await listing((await get(name, "/data")).body);
      for (const line of [
        "file 4755 1234:567 3 data/own",
        "directory 755 0:0 data/deep/er/",
        "file 644 33:0 1 data/deep/er/f",
        "directory 700 0:0 data/sub/",
        "file 644 0:0 2 data/sub/x",
        "fifo 600 0:0 data/ff",
        "file 644 0:0 0 data/.wh.file",
        "file 644 33:44 3 data/file",
      ]) {
        assert.ok(now.includes(line), `${line} in\n${now.join("\n")}`);
      }
      if (state === "running") {
        assert.equal(
          await daemon.ok(["exec", name, "stat", "-c", "%u:%g %a %Y", "/data/own"]),
          "1234:567 4755 1704164645",
        );
      }
    });

    test("what cannot be put is refused as dockerd refuses it", async () => {
      const file = tarOf([{ name: "f", data: "" }]);
      const missing = await put(name, "/nope", file);
      assert.deepEqual(
        [missing.status, message(missing)],
        [404, `Could not find the file /nope in container ${name}`],
      );
      assert.equal(message(await put(name, "/data/file", file)), "extraction point is not a directory");
      const over = await put(
        name,
        "/data",
        tarOf([{ name: "file/", type: "directory" }]),
        "&noOverwriteDirNonDir=1",
      );
      assert.match(message(over), /cannot overwrite non-directory "\/data\/file" with directory "\/data"$/);
      const under = await put(name, "/data", tarOf([{ name: "sub", data: "" }]), "&noOverwriteDirNonDir=1");
      assert.match(message(under), /cannot overwrite directory "\/data\/sub" with non-directory "\/data"$/);
      assert.match(message(await put(name, "/data", Buffer.alloc(2048, "x"))), /invalid tar header$/);
    });

    test("docker cp there and back", async () => {
      const source = join(directory, `out-${state}`);
      mkdirSync(join(source, "d"), { recursive: true });
      writeFileSync(join(source, "d/file"), "text");
      chownSync(join(source, "d/file"), 1234, 5678);
      await daemon.ok(["cp", source, `${name}:/tmp/new`]);
      await daemon.ok(["cp", "-a", `${name}:/tmp/new`, `${source}-back`]);
      assert.equal(readFileSync(`${source}-back/d/file`, "utf8"), "text");
      assert.deepEqual(await listing((await get(name, "/tmp/new/d/file")).body), [
        "file 644 1234:5678 4 file",
      ]);
      await daemon.ok(["cp", `${source}/d/file`, `${name}:/tmp/renamed`]);
      await daemon.ok(["cp", `${name}:/tmp/renamed`, directory]);
      assert.equal(readFileSync(join(directory, "renamed"), "utf8"), "text");
      await daemon.ok(["cp", "-L", `${name}:/data/link`, join(directory, "followed")]);
      assert.equal(readFileSync(join(directory, "followed"), "utf8"), "hi\n");
      const streamed = await daemon.ok(["cp", `${name}:/data/sub/x`, "-"]);
      assert.match(streamed, /^x\0/);
      await daemon.ok(["cp", "-", `${name}:/tmp`], { input: tarOf([{ name: "piped", data: "p" }]) });
      assert.deepEqual(await listing((await get(name, "/tmp/piped")).body), ["file 644 0:0 1 piped"]);
      const nowhere = await daemon.docker(["cp", source, `${name}:/no/where`]);
      assert.equal(nowhere.code, 1);
    });

    test("export has the root file system alone", async () => {
      const file = join(directory, `${state}.tar`);
      await daemon.ok(["export", "-o", file, name]);
      const lines = await listing(readFileSync(file));
      assert.ok(lines.includes("directory 755 33:44 data/"));
      assert.ok(lines.some((line) => line.endsWith(" bin/busybox")));
      const mountPoints = / dev\/(console|pts\/|shm\/)$/;
      const mounted = lines.filter((line) => / (proc|sys|dev)\/./.test(line) && !mountPoints.test(line));
      assert.deepEqual(mounted, [], "what is mounted is not in it, its mount points are");
      assert.equal(execFileSync("tar", ["tf", file]).toString().split("\n").length - 1, lines.length);
    });
  });
}

test("compressed archives are unpacked", async () => {
  const { gzipSync, zstdCompressSync } = await import("node:zlib");
  await daemon.ok(["create", "--name", "packed", "data"]);
  assert.equal((await put("packed", "/tmp", gzipSync(tarOf([{ name: "g", data: "g" }])))).status, 200);
  assert.equal(
    (await put("packed", "/tmp", zstdCompressSync(tarOf([{ name: "z", data: "z" }])))).status,
    200,
  );
  assert.deepEqual((await listing((await get("packed", "/tmp")).body)).slice(1), [
    "file 644 0:0 1 tmp/g",
    "file 644 0:0 1 tmp/z",
  ]);
});

test("with copyUIDGID files belong to the container's user", async () => {
  await daemon.ok(["create", "--name", "nobody", "-u", "nobody", "data"]);
  assert.equal(
    (await put("nobody", "/tmp", tarOf([{ name: "f", data: "", uid: 5 }]), "&copyUIDGID=1")).status,
    200,
  );
  assert.deepEqual(await listing((await get("nobody", "/tmp/f")).body), ["file 644 65534:65534 0 f"]);
});

test("read-only places refuse, volumes do not", async () => {
  await daemon.ok([
    "create",
    "--name",
    "ro",
    "--read-only",
    "-v",
    "/data",
    "-v",
    "rov:/rov:ro",
    "data",
    "sleep",
    "1000",
  ]);
  for (const state of ["created", "running"]) {
    if (state === "running") await daemon.ok(["start", "ro"]);
    const file = tarOf([{ name: "f", data: state }]);
    const root = await put("ro", "/tmp", file);
    assert.deepEqual([root.status, message(root)], [403, "container rootfs is marked read-only"]);
    const volume = await put("ro", "/rov", file);
    assert.deepEqual([volume.status, message(volume)], [403, "mounted volume is marked read-only"]);
    assert.equal((await put("ro", "/absl", file)).status, 200);
    assert.deepEqual(await listing((await get("ro", "/data/f")).body), [`file 644 0:0 ${state.length} f`]);
  }
});

test("diff lists what dockerd lists", async () => {
  const script =
    "echo x >> /etc/passwd; echo > /data/sub/new; rm /data/file; mkdir -p /q/w; touch /q/w/e; ln -s a /q/l; " +
    "rm -rf /tmp; mkdir -m 1777 /tmp; chmod 700 /bin; echo > /bin/zz; rm /bin/zz";
  await daemon.ok(["run", "--name", "d1", "data", "sh", "-c", script]);
  assert.deepEqual((await daemon.ok(["diff", "d1"])).split("\n"), [
    "C /bin",
    "C /data",
    "D /data/file",
    "C /data/sub",
    "A /data/sub/new",
    "C /etc",
    "C /etc/passwd",
    "A /q",
    "A /q/l",
    "A /q/w",
    "A /q/w/e",
  ]);
  await daemon.ok(["run", "--name", "d2", "data", "sh", "-c", "rm -rf /data; mkdir /data; touch /data/n"]);
  assert.deepEqual((await daemon.ok(["diff", "d2"])).split("\n"), [
    "C /data",
    "D /data/file",
    "D /data/hard",
    "D /data/link",
    "A /data/n",
    "D /data/sub",
  ]);
  await daemon.ok(["run", "--name", "d3", "data", "true"]);
  assert.equal(await daemon.ok(["diff", "d3"]), "");
});

test("sizes count what was written, hard links once", async () => {
  const script = "head -c 100000 /dev/zero > /f; ln /f /g; ln -s f /h";
  await daemon.ok(["run", "--name", "sized", "data", "sh", "-c", script]);
  assert.equal(await daemon.ok(["inspect", "-s", "-f", "{{.SizeRw}}", "sized"]), "100001");
});

test("a large file streams through both ways", async () => {
  const size = 300 << 20;
  await daemon.ok(["run", "--name", "large", "data", "sh", "-c", `head -c ${size} /dev/zero > /tmp/big`]);
  const before = memory(daemon.pid);
  await daemon.ok(["cp", "large:/tmp/big", join(directory, "big")]);
  assert.equal(statSync(join(directory, "big")).size, size);
  await daemon.ok(["cp", join(directory, "big"), "large:/tmp/again"]);
  assert.ok(memory(daemon.pid) - before < 100 << 20, "the daemon does not hold it");
  assert.equal(pathStat(await call(daemon.socket, "HEAD", archiveUrl("large", "/tmp/again"))).size, size);
});

/** The most memory a process ever had resident, in bytes. */
function memory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
