// The disk of the data root fills up under a daemon: every way that images come in says so, leaves nothing
// half-stored, and works again when there is room.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Result, TestDaemon, until } from "../support/daemon.ts";
import { busyboxImage, dockerArchive, manifestOf, type TestImage, tarOf } from "../support/images.ts";
import { TestRegistry } from "../support/registry.ts";

const MB = 2 ** 20;
const base = mkdtempSync(join(tmpdir(), "berth-full-daemon-"));
const daemon = new TestDaemon("full");

/** Does not compress. */
const noise = execFileSync("head", ["-c", String(120 * MB), "/dev/urandom"], { maxBuffer: 2 ** 28 });
const image = (size: number): TestImage =>
  busyboxImage({
    tags: ["noise:1"],
    layers: [
      tarOf([{ name: "small", data: "x" }]),
      tarOf([{ name: "noise", data: noise.subarray(0, size) }]),
    ],
  });

/** What is there of images, whole or not. */
const kept = (): Record<string, string[]> => {
  const list = (...path: string[]): string[] => {
    const directory = join(daemon.dataRoot, ...path);
    return existsSync(directory) ? readdirSync(directory).sort() : [];
  };
  return { layers: list("layers"), content: list("content", "sha256"), tmp: list("tmp") };
};

let initially: Record<string, string[]>;

/** The work fails for want of space, by docker's client in words, and leaves what was there. */
async function fails(work: Promise<Result>): Promise<void> {
  const { code, stdout, stderr } = await work;
  assert.notEqual(code, 0, stdout);
  assert.match(stdout + stderr, /no space left on device/i);
  await until("nothing half-stored is left", () => JSON.stringify(kept()) === JSON.stringify(initially));
  const check = await daemon.berth(["system", "check"]);
  assert.equal(check.code, 0, check.stdout + check.stderr);
}

describe("a disk that is full", () => {
  let registry: TestRegistry;
  before(async () => {
    registry = await TestRegistry.start();
    const disk = join(base, "disk");
    execFileSync("truncate", ["-s", "192M", disk]);
    execFileSync("mkfs.ext4", ["-q", disk]);
    mkdirSync(daemon.dataRoot);
    execFileSync("mount", ["-o", "loop", disk, daemon.dataRoot]);
    await daemon.up();
    await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
    registry.add("noise:1", manifestOf(image(110 * MB)));
    registry.add("noise:2", manifestOf(image(4 * MB)));
    initially = kept();
  });
  after(async () => {
    await registry.stop();
    try {
      for (const id of (await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean))
        await daemon.ok(["rm", "-f", id]);
      await daemon.down();
    } finally {
      // Also when there never was a daemon.
      execFileSync("umount", ["--lazy", daemon.dataRoot]);
      rmSync(base, { recursive: true });
      rmSync(daemon.directory, { recursive: true, force: true });
    }
  });

  test("pull", async () => {
    await fails(daemon.docker(["pull", `${registry.host}/noise:1`]));
    await daemon.ok(["pull", `${registry.host}/noise:2`]);
    await daemon.ok(["rmi", `${registry.host}/noise:2`]);
  });

  test("load", async () => {
    await fails(daemon.docker(["load"], { input: dockerArchive([image(120 * MB)]) }));
    await daemon.ok(["load"], { input: dockerArchive([image(4 * MB)]) });
    await daemon.ok(["rmi", "noise:1"]);
  });

  test("import", async () => {
    const archive = (size: number): Buffer => tarOf([{ name: "noise", data: noise.subarray(0, size) }]);
    await fails(daemon.docker(["import", "-", "imported:1"], { input: archive(120 * MB) }));
    await daemon.ok(["import", "-", "imported:1"], { input: archive(MB) });
    await daemon.ok(["rmi", "imported:1"]);
  });

  test("commit", async () => {
    await daemon.ok([
      "run",
      "--name",
      "source",
      "busybox",
      "sh",
      "-c",
      "head -c 70000000 /dev/urandom > /noise",
    ]);
    await fails(daemon.docker(["commit", "source", "made:1"]));
    assert.equal(await daemon.ok(["images", "-q", "made"]), "");
    await daemon.ok(["rm", "source"]);
    await daemon.ok(["run", "--name", "source", "busybox", "sh", "-c", "echo x > /x"]);
    await daemon.ok(["commit", "source", "made:1"]);
    await daemon.ok(["rm", "source"]);
    await daemon.ok(["rmi", "made:1"]);
  });

  test("COPY, ADD and RUN of a build, by docker's client and our own", async () => {
    const context = join(base, "context");
    mkdirSync(context);
    const large = Buffer.concat([noise, noise.subarray(0, 80 * MB)]);
    writeFileSync(join(context, "noise"), large);
    writeFileSync(join(context, "noise.tar"), tarOf([{ name: "in", data: large }]));
    for (const step of ["COPY noise /", "ADD noise.tar /", "RUN dd if=/dev/zero of=/zeros bs=1M"]) {
      writeFileSync(join(context, "Dockerfile"), `FROM busybox\n${step}\n`);
      for (const client of [daemon.docker, daemon.berth])
        await fails(client.call(daemon, ["build", "-t", "built:1", context]));
    }
    writeFileSync(join(context, ".dockerignore"), "noise*\n");
    writeFileSync(join(context, "Dockerfile"), "FROM busybox\nCOPY Dockerfile /\nRUN echo x > /x\n");
    await daemon.ok(["build", "-t", "built:1", context]);
    await daemon.ok(["rmi", "built:1"]);
  });

  test("a container that fills it harms nothing else", async () => {
    const script = "head -c 300000000 /dev/zero > /zeros || echo full; rm /zeros; echo x > /x && cat /x";
    const { stdout } = await daemon.docker(["run", "--rm", "busybox", "sh", "-c", script]);
    assert.deepEqual(stdout.split("\n"), ["full", "x", ""]);
    await daemon.ok(["pull", `${registry.host}/noise:2`]);
  });
});
