// A disk that is full: an error, nothing half-stored, and all is well when there is space again.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { ImageStore } from "../../src/image/index.ts";
import { openState, type State } from "../../src/state/index.ts";
import { dockerArchive, manifestOf, ociLayout, type TestImage, tarOf } from "../support/images.ts";
import { TestRegistry } from "../support/registry.ts";

const base = mkdtempSync(join(tmpdir(), "berth-full-"));
const mounts: string[] = [];
after(() => {
  for (const mount of mounts) execFileSync("umount", ["-l", mount]);
  rmSync(base, { recursive: true });
});

/** A data root on a file system of 24 MB. */
function smallRoot(name: string, reserve: number) {
  const root = join(base, name);
  mkdirSync(root);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", root]);
  mounts.push(root);
  const state = openState(root);
  return { state, store: new ImageStore({ state, limits: { bytes: 2 ** 32, entries: 1000, reserve } }) };
}

/** Does not compress. */
function noise(size: number): Buffer {
  const data = Buffer.alloc(size);
  let x = 1;
  for (let i = 0; i < size; i += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    data.writeInt32LE(x, i);
  }
  return data;
}

const image = (size: number): TestImage => ({
  tags: ["x:1"],
  layers: [tarOf([{ name: "small", data: "small" }]), tarOf([{ name: "noise", data: noise(size) }])],
});
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });

async function checkEmpty(state: State, store: ImageStore): Promise<void> {
  await store.settled();
  assert.deepEqual(readdirSync(state.paths.layers), []);
  assert.deepEqual(readdirSync(state.paths.temporary), []);
  assert.deepEqual(readdirSync(join(state.paths.content, "sha256")), []);
  assert.deepEqual(await store.list(), []);
}

for (const [name, archive] of [
  ["plain", dockerArchive],
  ["compressed", ociLayout],
] as const) {
  test(`load, ${name} layers`, async () => {
    const { state, store } = smallRoot(`load-${name}`, 0);
    await assert.rejects(store.load(stream(archive([image(40_000_000)]))), /[Nn]o space left/);
    await checkEmpty(state, store);
    await store.load(stream(archive([image(1_000_000)])));
    state.close();
  });
}

test("pull", async () => {
  const registry = await TestRegistry.start();
  const { state, store } = smallRoot("pull", 0);
  registry.add("x:1", manifestOf(image(40_000_000)));
  registry.add("x:2", manifestOf(image(1_000_000)));
  await assert.rejects(store.pull(`${registry.host}/x:1`), /[Nn]o space left/);
  await checkEmpty(state, store);
  await store.pull(`${registry.host}/x:2`);
  await registry.stop();
  store.close();
  state.close();
});

test("some space is left to the rest of the machine", async () => {
  const { state, store } = smallRoot("reserve", 23_000_000);
  await assert.rejects(
    store.load(stream(dockerArchive([image(4_000_000)]))),
    /no space left on device: less than/,
  );
  await checkEmpty(state, store);
  state.close();
});
