// Images as read-only mounts, and how mounts spread between the host and containers.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("image-mounts");
  const lower = tarOf([
    { name: "data/", type: "directory", mode: 0o755 },
    { name: "data/a", mode: 0o644, data: "first\n" },
    { name: "data/gone", data: "x" },
    { name: "data/sub/", type: "directory", mode: 0o755 },
    { name: "data/sub/b", mode: 0o644, data: "second\n" },
    { name: "out", type: "symlink", linkname: "/etc" },
  ]);
  const upper = tarOf([
    { name: "data/a", mode: 0o644, data: "changed\n" },
    { name: "data/.wh.gone", data: "" },
  ]);
  const image = { tags: ["files:latest"], layers: [busyboxLayer(), lower, upper] };
  await daemon.ok(["load"], { input: dockerArchive([image]) });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const shown = (subpath: string): string[] => [
  "--mount",
  `type=image,source=files,target=/shown${subpath ? `,image-subpath=${subpath}` : ""}`,
];
const sh = (mount: string[], script: string, ...flags: string[]) =>
  daemon.docker(["run", "--rm", ...flags, ...mount, "busybox", "sh", "-c", script]);

test("an image's files with all its layers, read-only whoever asks", async () => {
  const look =
    "ls /shown/data; cat /shown/data/a; touch /shown/x; mount -o remount,rw /shown; touch /shown/x";
  for (const flags of [[], ["--userns=host"], ["--privileged"]]) {
    const { stdout, stderr } = await sh(shown(""), look, ...flags);
    assert.equal(stdout, "a\nsub\nchanged\n");
    assert.equal(stderr.match(/\/shown\/x: Read-only file system/g)?.length, 2, stderr);
  }
  // Of an image with one layer.
  const one = ["--mount", "type=image,source=busybox,target=/shown"];
  const { stdout } = await sh(one, "ls /shown/bin/busybox; touch /shown/x || echo refused");
  assert.equal(stdout, "/shown/bin/busybox\nrefused\n");
});

test("a part of an image: a directory, a file, nothing outside of it", async () => {
  assert.equal((await sh(shown("data/sub"), "cat /shown/b")).stdout, "second\n");
  assert.equal((await sh(shown("data/a"), "cat /shown")).stdout, "changed\n");
  const inside = await sh(shown("out"), "ls /shown");
  assert.match(inside.stdout, /^group\npasswd$/m);
  assert.match((await sh(shown("data/gone/x"), "true")).stderr, /cannot access path data\/gone\/x/);
  assert.match((await sh(shown("../x"), "true")).stderr, /subpath must be a relative path within the image/);
});

test("an image that is mounted is in use; one that is missing is refused", async () => {
  await daemon.ok(["create", "--name", "user", ...shown(""), "busybox", "cat", "/shown/data/a"]);
  const mounts = JSON.parse(await daemon.ok(["inspect", "-f", "{{json .Mounts}}", "user"]));
  assert.deepEqual(
    mounts.map(({ Type, Name, RW }: Record<string, unknown>) => [Type, Name, RW]),
    [["image", "files", false]],
  );
  assert.match((await daemon.docker(["rmi", "files"])).stderr, /is using its referenced image/);
  assert.equal(await daemon.ok(["start", "-a", "user"]), "changed");
  const again = ["run", "--rm", "--volumes-from", "user", "busybox", "cat", "/shown/data/a"];
  assert.equal(await daemon.ok(again), "changed");
  await daemon.ok(["rm", "user"]);
  const missing = ["run", "--rm", "--mount", "type=image,source=nothing,target=/x", "busybox", "true"];
  assert.match((await daemon.docker(missing)).stderr, /No such image: nothing:latest/);
});

test("a volume's subpath that is not there is named", async () => {
  const mount = ["--mount", "type=volume,source=vol,target=/v,volume-subpath=no/where"];
  assert.match(
    (await sh(mount, "true")).stderr,
    /cannot access path \S+\/volumes\/vol\/_data\/no\/where: no such file/,
  );
  await daemon.ok(["volume", "rm", "vol"]);
});

test("mounts spread as the bind says: to slaves, both ways when shared, not to private ones", async () => {
  const spread = join(daemon.directory, "spread");
  for (const name of ["", "host", "inside"]) mkdirSync(join(spread, name), { recursive: true });
  const mounted = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await run("mount", args);
    assert.equal(code, 0, stderr);
  };
  await mounted("--bind", spread, spread);
  try {
    await mounted("--make-private", spread);
    for (const [mode, kind] of [
      ["rshared", "a shared mount"],
      ["rslave", "a shared or slave mount"],
    ]) {
      const refused = await daemon.docker(["run", "--rm", "-v", `${spread}:/s:${mode}`, "busybox", "true"]);
      assert.match(
        refused.stderr,
        new RegExp(`path ${spread} is mounted on ${spread} but it is not ${kind}`),
      );
    }
    await mounted("--make-shared", spread);
    const slave = ["-v", `${spread}:/slave:rslave`, "-v", `${spread}:/private`];
    await daemon.ok(["run", "-d", "--name", "slave", ...slave, "busybox", "sleep", "1000"]);
    const shared = ["--cap-add", "SYS_ADMIN", "-v", `${spread}:/shared:rshared`];
    await daemon.ok(["run", "-d", "--name", "shared", ...shared, "busybox", "sleep", "1000"]);

    await mounted("-t", "tmpfs", "tmpfs", join(spread, "host"));
    writeFileSync(join(spread, "host", "file"), "");
    assert.equal(await daemon.ok(["exec", "slave", "ls", "/slave/host"]), "file");
    assert.equal(await daemon.ok(["exec", "slave", "ls", "/private/host"]), "");
    assert.equal(await daemon.ok(["exec", "shared", "ls", "/shared/host"]), "file");

    const inside = "mount -t tmpfs tmpfs /shared/inside && touch /shared/inside/file";
    await daemon.ok(["exec", "shared", "sh", "-c", inside]);
    assert.ok(existsSync(join(spread, "inside", "file")));
    assert.equal(await daemon.ok(["exec", "slave", "ls", "/slave/inside"]), "file");
    await daemon.ok(["rm", "-f", "slave", "shared"]);
  } finally {
    await run("umount", ["--recursive", spread]);
  }
});
