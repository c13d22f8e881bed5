import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { damaged, deep, devices, escapes, type HostileLayer, vast } from "../../test/support/hostile.ts";
import {
  dockerArchive,
  imageConfig,
  manifestOf,
  ociLayout,
  sha256,
  type TestImage,
  tarOf,
} from "../../test/support/images.ts";
import { removeTree } from "../lib/remove-tree.ts";
import { openState, type State } from "../state/index.ts";
import { ImageStore } from "./store.ts";
import { defaultLimits } from "./unpacker.ts";

const base = mkdtempSync(join(tmpdir(), "berth-hostile-"));
const target = join(base, "outside");
mkdirSync(target, { mode: 0o755 });
writeFileSync(join(target, "secret"), "secret", { mode: 0o600 });
const opened: State[] = [];
after(async () => {
  for (const state of opened) state.close();
  await removeTree(base);
});

let roots = 0;

function open(limits = defaultLimits) {
  const state = openState(join(base, String(roots++)));
  opened.push(state);
  return { state, store: new ImageStore({ state, limits }) };
}

const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });
const image = (...layers: Buffer[]): TestImage => ({ tags: ["x:latest"], layers });

function checkOutside(): void {
  assert.deepEqual(readdirSync(target), ["secret"]);
  assert.equal(readFileSync(join(target, "secret"), "utf8"), "secret");
  const { mode, uid } = lstatSync(target);
  assert.deepEqual([mode & 0o7777, uid], [0o755, 0]);
}

/** Nothing half-stored: no layer, no image, no temporary file. */
async function checkEmpty(state: State, store: ImageStore): Promise<void> {
  assert.deepEqual(readdirSync(state.paths.layers), []);
  assert.deepEqual(readdirSync(state.paths.temporary), []);
  assert.deepEqual(readdirSync(join(state.paths.content, "sha256")), []);
  assert.deepEqual(await store.list(), []);
}

async function tryLayer({ archive, refused }: HostileLayer): Promise<void> {
  const { state, store } = open();
  const loading = store.load(stream(dockerArchive([image(archive)])));
  if (refused) {
    await assert.rejects(loading, { code: "INVALID_PARAMETER", message: refused });
    await checkEmpty(state, store);
  } else {
    await loading;
    await store.remove("x");
    await checkEmpty(state, store);
  }
  checkOutside();
  const importing = store.import(stream(archive));
  if (refused) await assert.rejects(importing, { message: refused });
  else await importing;
  checkOutside();
}

describe("a layer that", () => {
  for (const layer of escapes({ directory: target }))
    test(`leads out by ${layer.name}`, () => tryLayer(layer));
  for (const layer of devices()) test(`holds ${layer.name}`, () => tryLayer(layer));
  for (const layer of damaged()) test(`is damaged: ${layer.name}`, () => tryLayer(layer));
  test("is deeper than any path", () => tryLayer(deep()));
  test("says that it is larger than any disk", () => tryLayer(vast()));
});

test("attributes that steer the mount are not taken over", async () => {
  const { store } = open();
  const [, , layer] = devices();
  await store.load(stream(dockerArchive([image(layer?.archive ?? Buffer.alloc(0))])));
  const [root = ""] = (await store.resolve("x")).layers;
  const { execFileSync } = await import("node:child_process");
  const script = "import os,sys; print([os.listxattr(sys.argv[1]+'/'+n) for n in 'def'])";
  assert.equal(execFileSync("python3", ["-c", script, root], { encoding: "utf8" }).trim(), "[[], [], []]");
});

describe("bounds:", () => {
  const refuse = async (
    limits: Partial<typeof defaultLimits>,
    archive: Buffer,
    message: RegExp,
  ): Promise<void> => {
    const { state, store } = open({ ...defaultLimits, ...limits });
    const started = performance.now();
    await assert.rejects(store.import(stream(archive)), { message });
    assert.ok(performance.now() - started < 10_000);
    await checkEmpty(state, store);
  };

  test("a bomb of zeros ends at the limit of bytes", async () => {
    const bomb = gzipSync(tarOf([{ name: "zeros", data: Buffer.alloc(64 * 2 ** 20) }]));
    await refuse({ bytes: 2 ** 20 }, bomb, /larger than 1048576 bytes/);
  });

  test("a bomb after the end of the archive counts too", async () => {
    const bomb = gzipSync(Buffer.concat([tarOf([{ name: "a" }]), Buffer.alloc(64 * 2 ** 20)]));
    await refuse({ bytes: 2 ** 20 }, bomb, /larger than 1048576 bytes/);
  });

  test("entries", () =>
    refuse(
      { entries: 100 },
      tarOf(Array.from({ length: 101 }, (_, i) => ({ name: `f${i}` }))),
      /more than 100 entries/,
    ));

  test("space that must stay free", () =>
    refuse({ reserve: Number.MAX_SAFE_INTEGER }, tarOf([{ name: "a" }]), /no space left/));
});

describe("an archive of images that", () => {
  const refused = async (archive: Buffer, message: RegExp): Promise<void> => {
    const { state, store } = open();
    await assert.rejects(store.load(stream(archive)), { message });
    await checkEmpty(state, store);
  };
  const layer = tarOf([{ name: "a", data: "a" }]);
  const other = tarOf([{ name: "b", data: "b" }]);
  const dockerWith = (manifest: unknown, files: Record<string, Buffer> = {}): Buffer =>
    tarOf([
      ...Object.entries(files).map(([name, data]) => ({ name, data })),
      { name: "manifest.json", data: JSON.stringify(manifest) },
    ]);
  const config = imageConfig(image(layer));

  test("is truncated", () => refused(dockerArchive([image(layer)]).subarray(0, 3000), /EOF|no such|neither/));
  test("is truncated gzip", async () => {
    const packed = gzipSync(dockerArchive([image(layer)]));
    await refused(packed.subarray(0, packed.length - 30), /unexpected end/);
  });
  test("is not an archive", () => refused(Buffer.from("x".repeat(1024)), /invalid tar header/));
  test("has a layer other than its configuration says", () =>
    refused(
      dockerWith([{ Config: "c.json", RepoTags: ["x:1"], Layers: ["l.tar"] }], {
        "c.json": config,
        "l.tar": other,
      }),
      /invalid diffID for layer 0/,
    ));
  test("has fewer layers than its configuration", () =>
    refused(
      dockerWith([{ Config: "c.json", RepoTags: null, Layers: [] }], { "c.json": config }),
      /layers length mismatch/,
    ));
  test("points out of itself", () =>
    refused(dockerWith([{ Config: "../../../../etc/passwd", Layers: [] }]), /no such file/));
  test("has a null manifest", () => refused(dockerWith(null), /cannot be null/));
  test("has no such layer", () =>
    refused(
      dockerWith([{ Config: "c.json", Layers: ["missing"] }], { "c.json": config }),
      /open missing: no such file/,
    ));
  test("has a bad name", () =>
    refused(
      dockerWith([{ Config: "c.json", RepoTags: ["Bad:1"], Layers: ["l.tar"] }], {
        "c.json": config,
        "l.tar": layer,
      }),
      /must be lowercase/,
    ));
  test("has links in a circle", () =>
    refused(
      tarOf([
        { name: "a", type: "symlink", linkname: "b" },
        { name: "b", type: "symlink", linkname: "a" },
        { name: "manifest.json", data: JSON.stringify([{ Config: "a", Layers: [] }]) },
      ]),
      /open a: no such file/,
    ));
  test("has a configuration without layers' digests", () =>
    refused(
      dockerWith([{ Config: "c.json", Layers: [] }], { "c.json": Buffer.from("{}") }),
      /no rootfs.diff_ids/,
    ));

  test("has a blob that is not what its name says", async () => {
    const archive = ociLayout([image(layer)], "plain");
    const at = archive.indexOf(layer.subarray(0, 512));
    other.copy(archive, at);
    await refused(archive, /wrong digest/);
  });

  test("has an index that contains itself", async () => {
    const { manifest, blobs } = manifestOf(image(layer));
    // An index cannot name its own digest; this one names an index whose blob is itself under another name.
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [
          {
            ...manifest,
            mediaType: "application/vnd.oci.image.index.v1+json",
            digest: `sha256:${"1".repeat(64)}`,
          },
        ],
      }),
    );
    await refused(
      tarOf([
        { name: "index.json", data: index },
        { name: `blobs/sha256/${"1".repeat(64)}`, data: index },
        ...[...blobs].map(([digest, data]) => ({ name: `blobs/${digest.replace(":", "/")}`, data })),
      ]),
      /wrong digest/,
    );
  });

  test("is an artifact, not an image", () => {
    const empty = Buffer.from("{}");
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256(empty), size: 2 },
        layers: [],
      }),
    );
    const descriptor = {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: sha256(manifest),
      size: manifest.length,
    };
    return refused(
      tarOf([
        { name: "index.json", data: JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }) },
        { name: `blobs/${sha256(manifest).replace(":", "/")}`, data: manifest },
      ]),
      /artifact/,
    );
  });
});

test("a failed load leaves what was there before", async () => {
  const { state, store } = open();
  const good = image(tarOf([{ name: "good", data: "good" }]));
  await store.load(stream(dockerArchive([good])));
  const bad = dockerArchive([image(tarOf([{ name: "x", data: "x" }]), tarOf([{ name: "../x" }]))]);
  await assert.rejects(store.load(stream(bad)));
  const [layer = ""] = (await store.resolve("x")).layers;
  assert.ok(existsSync(join(layer, "good")));
  assert.equal(readdirSync(state.paths.layers).length, 1);
  rmSync(join(base, "never"), { force: true });
});
