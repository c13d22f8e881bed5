import assert from "node:assert/strict";
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Mount } from "../../src/runtime/oci.ts";
import { canRun, collect, Fixture, sh } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

const volume = join(fixture.root, "volume");
mkdirSync(join(volume, "mine"), { recursive: true });
chownSync(join(volume, "mine"), 1000, 1000);
writeFileSync(join(volume, "file"), "content\n");

const run = (script: string, mounts: Mount[], readonly = false) =>
  fixture.run(
    fixture.launch(["sh", "-c", script], (launch) => {
      launch.spec.mounts.push(...mounts);
      launch.spec.root.readonly = readonly;
    }),
  );
const bind = (destination: string, source: string, ...options: string[]): Mount => ({
  destination,
  source,
  type: "bind",
  options: ["rbind", ...options],
});

test("owners in a bind mount look the same inside and out", { skip }, async () => {
  const script = "stat -c '%u:%g %n' /v/mine /v/file; echo new > /v/new; stat -c %u /v/new";
  const { stdout } = await run(script, [bind("/v", volume)]);
  assert.equal(stdout, "1000:1000 /v/mine\n0:0 /v/file\n0\n");
  assert.equal(statSync(join(volume, "new")).uid, 0);
  assert.equal(readFileSync(join(volume, "new"), "utf8"), "new\n");
});

test("a read-only bind is read-only, a file can be bound", { skip }, async () => {
  const { stdout, stderr } = await run("cat /some/where; echo x > /v/x", [
    bind("/v", volume, "ro"),
    bind("/some/where", join(volume, "file")),
  ]);
  assert.equal(stdout, "content\n");
  assert.match(stderr, /Read-only file system/);
});

test("a file system that cannot map ids is bound as it is", { skip }, async () => {
  const { stdout } = await run("ls /v/self/status", [bind("/v", "/proc")]);
  assert.equal(stdout, "/v/self/status\n");
});

test("a missing source has Docker's message", { skip }, async () => {
  await assert.rejects(run("true", [bind("/v", "/no/such/source")]), {
    status: 400,
    message: 'invalid mount config for type "bind": bind source path does not exist: /no/such/source',
  });
});

test("a read-only root leaves its mounts writable", { skip }, async () => {
  const { stdout, stderr } = await run("echo x > /x; echo y > /dev/shm/y && cat /dev/shm/y", [], true);
  assert.equal(stdout, "y\n");
  assert.match(stderr, /Read-only file system/);
});

test("tmpfs takes its options in the container's ids", { skip }, async () => {
  const { stdout } = await run("stat -c '%u %a' /t; mount | grep ' /t '", [
    {
      destination: "/t",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "noexec", "size=1m", "uid=5", "mode=700"],
    },
  ]);
  assert.match(stdout, /^5 700\ntmpfs on \/t type tmpfs \(rw,nosuid,noexec,relatime,size=1024k/);
});

test("devices have their owners and modes and work", { skip }, async () => {
  const launch = fixture.launch(
    [
      "sh",
      "-c",
      "stat -c '%n %u %a %F' /dev/null /dev/mine/zero; head -c 3 /dev/mine/zero | wc -c; echo > /dev/null",
    ],
    (l) =>
      l.spec.linux.devices?.push({
        type: "c",
        path: "/dev/mine/zero",
        major: 1,
        minor: 5,
        fileMode: 0o640,
        uid: 7,
        gid: 8,
      }),
  );
  const { stdout } = await fixture.run(launch);
  assert.equal(
    stdout,
    "/dev/null 0 666 character special file\n/dev/mine/zero 7 640 character special file\n3\n",
  );
});

async function thirtyLayers(inside: Fixture): Promise<void> {
  const launch = inside.launch(["sh", "-c", "cat /layer; ls /l-*"], (l) => {
    for (let i = 2; i <= 30; i++)
      l.rootfs.lower.unshift(
        inside.layer(`${i}`, (dir) => {
          writeFileSync(join(dir, "layer"), `${i}\n`);
          writeFileSync(join(dir, `l-${i}`), "");
        }),
      );
  });
  const { stdout } = await inside.run(launch);
  assert.equal(stdout.split("\n").length, 31);
  assert.ok(stdout.startsWith("30\n"));
}

test("thirty layers", { skip }, () => thirtyLayers(fixture));

test("thirty layers and one where the kernel takes no list of layers", { skip }, async () => {
  const older = new Fixture({ features: { idmappedOverlay: true, overlayLayerList: false } });
  assert.equal((await older.run(older.launch(["cat", "/etc/plain"]))).stdout, "not a program\n");
  await thirtyLayers(older);
  await older.close();
});

test("where the host's mounts are shared, the container's stay inside", { skip }, async () => {
  const shared = join(fixture.root, "shared");
  mkdirSync(shared);
  sh(`mount --bind ${shared} ${shared} && mount --make-shared ${shared}`);
  try {
    mkdirSync(join(shared, "source"));
    const inside = new Fixture({}, shared);
    const launch = inside.launch(["sh", "-c", "read x; cat /slave/new/file; ls /private/new"], (l) => {
      l.stdio = { tty: false, stdin: true, stdinOnce: true, waitForAttach: 0 };
      l.spec.mounts.push(
        bind("/slave", join(shared, "source"), "rslave"),
        bind("/private", join(shared, "source")),
      );
    });
    mkdirSync(join(shared, "source/new"));
    const shim = await inside.runtime.start(launch);
    assert.equal(sh(`grep -c ' ${shared}/' /proc/self/mountinfo || true`), "0\n");
    sh(`mount -t tmpfs x ${shared}/source/new && echo seen > ${shared}/source/new/file`);
    const attachment = await shim.attach({ stdin: true, stdout: true, stderr: true });
    await attachment.write(Buffer.from("go\n"));
    assert.deepEqual(await collect(attachment), { stdout: "seen\n", stderr: "" });
    sh(`umount ${shared}/source/new`);
    await inside.close();
  } finally {
    sh(`umount -l ${shared}`);
  }
});

test("the mark of a volatile overlay does not stop the next start", { skip }, async () => {
  const launch = fixture.launch(["sh", "-c", "cat /kept; echo kept > /kept"], (l) => {
    l.rootfs.volatile = true;
  });
  await fixture.run(launch);
  assert.equal((await fixture.run(launch)).stdout, "kept\n");
});
