// An image of all kinds of files on its way between Berth, a registry, dockerd, podman, skopeo and umoci.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { noDockerd, Peer } from "../support/dockerd.ts";
import {
  busyboxImage,
  busyboxLayer,
  dockerArchive,
  imageId,
  type TestImage,
  tarOf,
} from "../support/images.ts";
import { RegistryProcess } from "../support/registry-process.ts";
import { treeOf } from "../support/tree.ts";

const present = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;
const missing = ["docker-registry", "skopeo", "umoci", "python3"].filter((program) => !present(program));
const skip = missing.length > 0 ? `not installed: ${missing.join(", ")}` : false;
const noPodman = present("podman") ? false : "podman is not installed";

const base = mkdtempSync(join(tmpdir(), "berth-trip-"));

/** cap_net_raw+ep, capabilities(7). */
const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
const attributes = (entries: Record<string, Buffer | string>) =>
  new Map(Object.entries(entries).map(([name, value]) => [name, Buffer.from(value)]));
const mtime = 1_600_000_000_123_456_789n;

/** Files with holes, in the ways of GNU tar that all readers know. */
function sparse(version: string): Buffer {
  const directory = join(base, `sparse-${version}`);
  mkdirSync(directory);
  const file = join(directory, `holes-${version}`);
  execFileSync("truncate", ["-s", "3M", file]);
  for (const offset of [0, 300, 700])
    execFileSync(
      "dd",
      ["if=/dev/urandom", `of=${file}`, "bs=4096", "count=1", `seek=${offset}`, "conv=notrunc"],
      { stdio: "ignore" },
    );
  return execFileSync(
    "tar",
    [
      "-c",
      "-S",
      "--format=pax",
      `--sparse-version=${version}`,
      "--owner=5",
      "--group=6",
      "-C",
      directory,
      `holes-${version}`,
    ],
    { maxBuffer: 2 ** 26 },
  );
}

function image(): TestImage {
  const kinds = tarOf([
    { name: "kinds/", type: "directory", mode: 0o1777, mtime },
    { name: "kinds/setuid", mode: 0o4755, data: "x", mtime },
    { name: "kinds/setgid", mode: 0o2755, data: "x", uid: 33, gid: 44, mtime },
    {
      name: "kinds/capable",
      mode: 0o755,
      data: "y",
      xattrs: attributes({ "security.capability": capability }),
    },
    {
      name: "kinds/attributes",
      data: "z",
      xattrs: attributes({ "user.one": "1", "user.bytes": Buffer.from([0, 255, 10]) }),
    },
    { name: "kinds/owned", data: "o", uid: 70_000, gid: 2_000_000_000, mode: 0 },
    { name: "kinds/hard", data: "linked", mtime },
    { name: "kinds/hard2", type: "link", linkname: "kinds/hard", mtime },
    { name: "kinds/hard3", type: "link", linkname: "kinds/hard2", mtime },
    { name: "kinds/dangling", type: "symlink", linkname: "../../nowhere", mode: 0o777, uid: 7, mtime },
    { name: "kinds/fifo", type: "fifo", mode: 0o620 },
    { name: "kinds/device", type: "character", major: 1, minor: 3, mode: 0o666 },
    { name: "kinds/block", type: "block", major: 7, minor: 99, mode: 0o660, gid: 6 },
    { name: `kinds/${"long".repeat(60)}`, data: "long" },
    { name: `kinds/${"deep/".repeat(60)}`, type: "directory", mode: 0o711 },
    { name: `kinds/${"deep/".repeat(60)}file`, data: "deep" },
    { name: "kinds/ünïcödé ☃\n", data: "u" },
    { name: "kinds/old", data: "before 1970", mtime: -86_400_000_000_000n },
    { name: "gone/", type: "directory" },
    { name: "gone/a", data: "a" },
    { name: "opaque/", type: "directory" },
    { name: "opaque/below", data: "below" },
    { name: "opaque/sub/", type: "directory" },
    { name: "opaque/sub/below", data: "below" },
    { name: "becomes-file/", type: "directory" },
    { name: "becomes-file/x", data: "x" },
    { name: "becomes-directory", data: "x" },
    { name: "changes", data: "first", mode: 0o600 },
  ]);
  const changes = tarOf([
    { name: ".wh.gone" },
    { name: "opaque/", type: "directory", mode: 0o750, uid: 9 },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/above", data: "above" },
    { name: "kinds/", type: "directory", mode: 0o1777, mtime },
    { name: "kinds/.wh.hard2" },
    { name: ".wh.becomes-file" },
    { name: "becomes-file", data: "file" },
    { name: ".wh.becomes-directory" },
    { name: "becomes-directory/", type: "directory" },
    { name: "becomes-directory/x", data: "x" },
    { name: "changes", data: "second", mode: 0o640 },
  ]);
  return busyboxImage({
    tags: ["trip:1"],
    layers: [busyboxLayer(), kinds, sparse("0.1"), sparse("1.0"), changes],
  });
}

/** The merged tree of layers as overlayfs shows it. */
async function mounted<T>(lowers: string[], options: string, look: (directory: string) => T): Promise<T> {
  const directory = mkdtempSync(join(base, "mount-"));
  execFileSync("mount", [
    "-t",
    "overlay",
    "overlay",
    "-o",
    `ro,lowerdir=${lowers.join(":")}${options}`,
    directory,
  ]);
  try {
    return look(directory);
  } finally {
    execFileSync("umount", [directory]);
  }
}

/** Peers fill holes, and some keep times before 1970, which dockerd and Berth do not. */
const seen = (lines: string[]): string[] =>
  lines.map((line) => line.replace('"holes": true', '"holes": false').replace(/"mtime": -\d+/, '"mtime": 0'));

describe("a round trip", { skip }, () => {
  let registry: RegistryProcess;
  let daemon: TestDaemon;
  let expected: string[];
  let digest = "";
  const source = image();
  const id = imageId(source);

  const layersOf = async (docker: (args: string[]) => Promise<string>, name: string): Promise<string[]> => {
    const data = JSON.parse(await docker(["image", "inspect", "-f", "{{json .GraphDriver.Data}}", name]));
    return [data.UpperDir, ...data.LowerDir.split(":")];
  };
  const ownTree = async (from: TestDaemon, name: string): Promise<string[]> =>
    mounted(await layersOf((args) => from.ok(args), name), ",userxattr", treeOf);
  const digestIn = (text: string): string => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? "";

  before(async () => {
    registry = await RegistryProcess.start(join(base, "registry"));
    daemon = new TestDaemon("trip");
    await daemon.up();
    assert.equal(await daemon.ok(["load"], { input: dockerArchive([source]) }), "Loaded image: trip:1");
    const name = `${registry.host}/trip:1`;
    await daemon.ok(["tag", "trip:1", name]);
    digest = digestIn(await daemon.ok(["push", name]));
    execFileSync("skopeo", [
      "copy",
      "--quiet",
      "--src-tls-verify=false",
      `docker://${name}`,
      `oci:${base}/oci:trip`,
    ]);
    const unpacked = await run("umoci", ["unpack", "--image", `${base}/oci:trip`, join(base, "bundle")]);
    assert.equal(unpacked.code, 0, unpacked.stderr);
    expected = await ownTree(daemon, "trip:1");
  });

  after(async () => {
    await daemon.end();
    registry.stop();
    // Podman mounts its own data.
    spawnSync("umount", ["-R", join(base, "podman/data/overlay")], { stdio: "ignore" });
    rmSync(base, { recursive: true, force: true });
  });

  test("loaded files are those that umoci unpacks from what was pushed", async () => {
    assert.ok(expected.length > 100);
    assert.ok(expected.some((line) => line.includes(capability.toString("hex"))));
    assert.equal(expected.filter((line) => line.includes('"holes": true')).length, 2);
    assert.deepEqual(seen(expected), seen(treeOf(join(base, "bundle", "rootfs"))));
  });

  test("after push, pull, save and load nothing has changed, bit for bit", async () => {
    const name = `${registry.host}/trip:1`;
    await daemon.ok(["rmi", name, "trip:1"]);
    await daemon.ok(["pull", name]);
    assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", name]), id);
    assert.deepEqual(await ownTree(daemon, name), expected);
    const saved = join(base, "saved.tar");
    await daemon.ok(["save", "-o", saved, name]);
    const other = new TestDaemon("trip-other");
    await other.up();
    await other.ok(["load", "-i", saved]);
    assert.equal(await other.ok(["image", "inspect", "-f", "{{.Id}}", name]), id);
    assert.deepEqual(await ownTree(other, name), expected);
    // What was packed there for the first time gets the digests that it had here.
    await other.ok(["tag", name, `${registry.host}/again:1`]);
    assert.equal(digestIn(await other.ok(["push", `${registry.host}/again:1`])), digest);
    await other.end();
    await daemon.ok(["tag", name, `${registry.host}/third:1`]);
    assert.equal(digestIn(await daemon.ok(["push", `${registry.host}/third:1`])), digest);
  });

  test("dockerd pulls the same, and what it pushes comes back the same", { skip: noDockerd }, async () => {
    const peer = new Peer("trip");
    await peer.up();
    try {
      const [there, back] = [`${registry.host}/trip:1`, `${registry.host}/from-dockerd:1`];
      assert.ok((await peer.ok(["pull", there])).includes(`Digest: ${digest}`));
      assert.equal(await peer.ok(["image", "inspect", "-f", "{{.Id}}", there]), id);
      const theirs = await mounted(await layersOf((args) => peer.ok(args), there), "", treeOf);
      assert.deepEqual(seen(theirs), seen(expected));
      await peer.ok(["tag", there, back]);
      const pushed = digestIn(await peer.ok(["push", back]));
      assert.ok((await daemon.ok(["pull", back])).includes(`Digest: ${pushed}`));
      assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", back]), id);
      await daemon.ok(["tag", back, `${registry.host}/to-third:1`]);
      assert.equal(digestIn(await daemon.ok(["push", `${registry.host}/to-third:1`])), pushed);
      // Archives, both ways; dockerd cannot save a layer that has files with holes.
      const dense = {
        ...source,
        tags: ["dense:1"],
        layers: source.layers.filter((_, i) => i !== 2 && i !== 3),
      };
      await daemon.ok(["load"], { input: dockerArchive([dense]) });
      const before = await ownTree(daemon, "dense:1");
      await daemon.ok(["save", "-o", join(base, "ours.tar"), "dense:1"]);
      await peer.ok(["load", "-i", join(base, "ours.tar")]);
      assert.equal(await peer.ok(["image", "inspect", "-f", "{{.Id}}", "dense:1"]), imageId(dense));
      await peer.ok(["save", "-o", join(base, "theirs.tar"), "dense:1"]);
      await daemon.ok(["rmi", "dense:1"]);
      await daemon.ok(["load", "-i", join(base, "theirs.tar")]);
      assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "dense:1"]), imageId(dense));
      assert.deepEqual(await ownTree(daemon, "dense:1"), before);
    } finally {
      await peer.down();
    }
  });

  test("podman pulls the same, and what it pushes comes back the same", { skip: noPodman }, async () => {
    const at = (name: string): string => join(base, "podman", name);
    const podman = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await run("podman", [
        `--root=${at("data")}`,
        `--runroot=${at("run")}`,
        `--tmpdir=${at("tmp")}`,
        "--storage-driver=overlay",
        ...args,
      ]);
      assert.equal(code, 0, `podman ${args.join(" ")}\n${stderr}`);
      return stdout.trim();
    };
    const [there, back] = [`${registry.host}/trip:1`, `${registry.host}/from-podman:1`];
    assert.equal(`sha256:${await podman("pull", "-q", "--tls-verify=false", there)}`, id);
    assert.equal(await podman("image", "inspect", "-f", "{{.Digest}}", there), digest);
    const directory = await podman("image", "mount", there);
    const theirs = treeOf(directory);
    await podman("image", "umount", there);
    assert.deepEqual(seen(theirs), seen(expected));
    await podman("push", "-q", "--tls-verify=false", there, back);
    const looked = JSON.parse(
      execFileSync("skopeo", ["inspect", "--tls-verify=false", `docker://${back}`]).toString(),
    );
    assert.ok((await daemon.ok(["pull", back])).includes(`Digest: ${looked.Digest}`));
    assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", back]), id);
    await podman("rmi", "-f", there);
    await daemon.ok(["save", "-o", join(base, "for-podman.tar"), back]);
    await podman("load", "-q", "-i", join(base, "for-podman.tar"));
    assert.equal(`sha256:${(await podman("images", "-q", "--no-trunc")).replace(/^sha256:/, "")}`, id);
  });
});
