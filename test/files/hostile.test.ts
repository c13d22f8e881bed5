// Archives and containers that try to lead docker cp out of the container.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { escapes } from "../support/hostile.ts";
import { dockerArchive, tarOf } from "../support/images.ts";
import { archiveUrl, call, layers, listing, message } from "./support.ts";

let daemon: TestDaemon;
/** On the host, where nothing from inside may come to. */
let outside: string;
const secret = "a secret of the host";
before(async () => {
  daemon = await TestDaemon.start("files-hostile");
  await daemon.ok(["load"], { input: dockerArchive([{ tags: ["data:latest"], layers: layers() }]) });
  outside = mkdtempSync(join(tmpdir(), "berth-files-outside-"));
  writeFileSync(join(outside, "secret"), secret, { mode: 0o600 });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
  rmSync(outside, { recursive: true, force: true });
});

function assertUntouched(what: string): void {
  assert.deepEqual(readdirSync(outside), ["secret"], what);
  assert.equal(readFileSync(join(outside, "secret"), "utf8"), secret, what);
  const { mode, nlink } = lstatSync(join(outside, "secret"));
  assert.deepEqual([mode & 0o777, nlink], [0o600, 1], what);
}

for (const state of ["created", "running", "running on the host's ids"]) {
  test(`escaping archives stay inside a container that is ${state}`, async () => {
    const name = `escape-${state.replaceAll(/\W/g, "")}`;
    const userns = state.endsWith("ids") ? ["--userns", "host"] : [];
    await daemon.ok(["create", "--name", name, ...userns, "data", "sleep", "1000"]);
    if (state !== "created") await daemon.ok(["start", name]);
    for (const { name: what, archive } of escapes({ directory: outside })) {
      for (const path of ["/", "/data", "/etc/rel"]) {
        const { status } = await call(daemon.socket, "PUT", archiveUrl(name, path), archive);
        assert.ok(status === 200 || status === 500, `${what}: ${status}`);
        assertUntouched(what);
      }
    }
    assert.equal(
      await daemon.ok(["inspect", "-f", "{{.State.Status}}", name]),
      state === "created" ? "created" : "running",
    );
  });
}

test("devices are made only where nobody can open them", async () => {
  const device = tarOf([{ name: "disk", type: "block", major: 254, minor: 0, mode: 0o666 }]);
  await daemon.ok(["create", "--name", "device", "data", "sh", "-c", "cat /data/disk > /tmp/out"]);
  assert.equal((await call(daemon.socket, "PUT", archiveUrl("device", "/data"), device)).status, 200);
  assert.deepEqual(
    await listing((await call(daemon.socket, "GET", archiveUrl("device", "/data/disk"))).body),
    ["block 666 0:0 disk"],
  );
  const { code, stderr } = await daemon.docker(["start", "-a", "device"]);
  assert.equal(code, 1);
  assert.match(stderr, /Permission denied|not permitted/);
});

test("overlayfs is not steered by what an archive says", async () => {
  const archive = tarOf([
    { name: "white", type: "character", major: 0, minor: 0 },
    { name: "sub/", type: "directory", xattrs: new Map([["user.overlay.opaque", Buffer.from("y")]]) },
  ]);
  await daemon.ok(["create", "--name", "overlay", "data"]);
  assert.equal((await call(daemon.socket, "PUT", archiveUrl("overlay", "/data"), archive)).status, 200);
  const now = await listing((await call(daemon.socket, "GET", archiveUrl("overlay", "/data"))).body);
  assert.ok(now.includes("file 644 0:0 2 data/sub/x"), "what is below still shows");
});

test("a damaged or endless archive is refused and nothing hangs", async () => {
  await daemon.ok(["create", "--name", "damaged", "data"]);
  const good = tarOf([{ name: "f", data: Buffer.alloc(10_000) }]);
  for (const size of [100, 511, 513, 5000]) {
    const { status } = await call(
      daemon.socket,
      "PUT",
      archiveUrl("damaged", "/tmp"),
      good.subarray(0, size),
    );
    assert.equal(status, 500, `${size} bytes`);
  }
  const huge = Buffer.from(tarOf([{ name: "f", data: "" }]));
  huge.write("77777777777", 124);
  assert.equal((await call(daemon.socket, "PUT", archiveUrl("damaged", "/tmp"), huge)).status, 500);
  const unknown = Buffer.from(tarOf([{ name: "u", data: "" }]));
  unknown.write("Z", 156);
  assert.match(
    message(await call(daemon.socket, "PUT", archiveUrl("damaged", "/tmp"), unknown)),
    /tar header/,
  );
});

test("a container that swaps directories for links gains nothing", { timeout: 240_000 }, async () => {
  const program = join(daemon.directory, "swapper");
  const source = join(import.meta.dirname, "swapper.c");
  execFileSync("cc", ["-static", "-O2", "-Wall", "-Werror", "-o", program, source]);
  const image = {
    tags: ["swap:latest"],
    layers: [
      ...layers(),
      tarOf([
        { name: "swapper", mode: 0o755, data: readFileSync(program) },
        { name: "d/sub/in/f", data: "inside" },
        { name: "d/sub/secret", data: "inside" },
        { name: "e", type: "symlink", linkname: outside, mode: 0o777 },
        // What a container's own root has at the path of the host's, so that following a link inside works.
        { name: `${outside.slice(1)}/secret`, data: "inside" },
        { name: `${outside.slice(1)}/in/f`, data: "inside" },
      ]),
    ],
  };
  await daemon.ok(["load"], { input: dockerArchive([image]) });
  const up = `../../../../../..${outside}`;
  const archive = tarOf([
    { name: "in/planted", data: "planted" },
    { name: "planted", data: "planted" },
  ]);
  const copied = join(daemon.directory, "copied");
  for (const userns of [[], ["--userns", "host"]]) {
    await daemon.ok(["run", "-d", "--name", "swap", ...userns, "swap", "/swapper", outside, up]);
    await until("it swaps", async () => (await daemon.ok(["logs", "swap"])) === "swapping");
    const statuses = new Map<number, number>();
    for (let turn = 0; turn < 100; turn++) {
      const answers = await Promise.all([
        call(daemon.socket, "GET", archiveUrl("swap", "/d/sub/")),
        call(daemon.socket, "GET", archiveUrl("swap", "/d/sub/secret")),
        call(daemon.socket, "GET", archiveUrl("swap", "/d/link/secret")),
        call(daemon.socket, "HEAD", archiveUrl("swap", "/d/sub/secret")),
        call(daemon.socket, "PUT", archiveUrl("swap", turn % 2 ? "/d/sub" : "/d/link"), archive),
        call(
          daemon.socket,
          "PUT",
          archiveUrl("swap", "/d", turn % 2 ? "" : "&noOverwriteDirNonDir=1"),
          tarOf([
            { name: "sub/planted", data: "planted" },
            { name: "link/planted", data: "planted" },
          ]),
        ),
      ]);
      for (const { status, body } of answers) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        assert.ok(!body.includes(secret), "nothing of the host is read");
      }
      if (turn % 10 === 0) {
        await daemon.docker(["cp", "swap:/d", copied]);
        await daemon.docker(["cp", copied, "swap:/d/sub"]);
        rmSync(copied, { recursive: true, force: true });
        await daemon.ok(["diff", "swap"]);
      }
      assertUntouched(`turn ${turn}`);
    }
    assert.ok((statuses.get(200) ?? 0) > 100, `most of it worked: ${[...statuses]}`);
    assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Running}}", "swap"]), "true");
    await daemon.ok(["rm", "-f", "swap"]);
  }
});

test("mounts made inside are not followed out of the container's files", async () => {
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "mounts",
    "--privileged",
    "data",
    "sh",
    "-c",
    "mount -t proc proc /data/sub && echo ready && sleep 1000",
  ]);
  const answer = await call(daemon.socket, "GET", archiveUrl("mounts", "/data/sub"));
  assert.deepEqual(await listing(answer.body), ["directory 755 0:0 sub/", "file 644 0:0 2 sub/x"]);
});

test("links to the host's processes lead nowhere", async () => {
  const script =
    `mv /etc /was; ln -s /proc/1/root${outside} /etc; ln -s /proc/1/root${outside} /l; ` +
    "echo ready; sleep 1000";
  for (const more of [[], ["--userns", "host"]]) {
    await daemon.ok([
      "run",
      "-d",
      "--name",
      "proc",
      "--pid",
      "host",
      ...more,
      "-v",
      "/etc/secret",
      "data",
      "sh",
      "-c",
      script,
    ]);
    await until("it is ready", async () => (await daemon.ok(["logs", "proc"])) === "ready");
    for (const path of ["/etc/secret", "/l/secret", "/l/", "/etc/"]) {
      const { body } = await call(daemon.socket, "GET", archiveUrl("proc", path));
      assert.ok(!body.includes(secret), path);
    }
    for (const path of ["/l", "/etc"]) {
      await call(daemon.socket, "PUT", archiveUrl("proc", path), tarOf([{ name: "planted", data: "" }]));
    }
    assertUntouched("through /proc");
    await daemon.ok(["rm", "-f", "proc"]);
  }
});

test("no process inside sees the one that works on its files", async () => {
  await daemon.ok(["run", "-d", "--name", "watch", "--pid", "host", "data", "sleep", "1000"]);
  const watch = daemon.docker(
    [
      "exec",
      "watch",
      "sh",
      "-c",
      "for i in $(seq 5); do for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in berth-files) ls $p/root/ && echo seen;; esac; done; done 2>/dev/null",
    ],
    { timeout: 110_000 },
  );
  for (let turn = 0; turn < 20; turn++) await call(daemon.socket, "GET", archiveUrl("watch", "/bin"));
  assert.equal((await watch).stdout, "");
});
