// What nobody refers to any more is removed while other work goes on.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ociLayout, type TestImage, tarOf } from "../../test/support/images.ts";
import { removeTree } from "../lib/remove-tree.ts";
import { openState } from "../state/index.ts";
import { ImageStore } from "./store.ts";

const base = mkdtempSync(join(tmpdir(), "berth-collect-"));
after(() => removeTree(base));
const stream = (image: TestImage): Readable =>
  Readable.from([ociLayout([image], "gzip")], { objectMode: false });

test("a layer that comes again while its last image is removed keeps its packed form", async () => {
  const state = openState(join(base, "again"));
  const store = new ImageStore({ state });
  const small = tarOf([{ name: "small", data: "small" }]);
  const many = tarOf(Array.from({ length: 4000 }, (_, i) => ({ name: `d${i % 7}/${i}` })));
  await store.load(stream({ tags: ["large:1"], layers: [small, many] }));
  const removing = store.remove("large:1");
  await store.load(stream({ tags: ["small:1"], layers: [small] }));
  await removing;
  assert.deepEqual((await store.check()).problems, []);
  state.close();
});

test("what is removed while it is saved is saved whole, and goes then", async () => {
  const state = openState(join(base, "saving"));
  const store = new ImageStore({ state });
  const image = { tags: ["saved:1"], layers: [tarOf([{ name: "a", data: "a".repeat(3_000_000) }])] };
  await store.load(stream(image));
  const saving = await store.save(["saved:1"]);
  await store.remove("saved:1");
  const other = new ImageStore({ state: openState(join(base, "loading")) });
  assert.deepEqual(await other.load(saving), ["saved:1"]);
  await store.settled();
  for (const directory of [state.paths.layers, join(state.paths.content, "sha256")])
    assert.deepEqual(readdirSync(directory), []);
  state.close();
});

test("an image that is loaded is not taken for one without a name before it has its own", async () => {
  const state = openState(join(base, "naming"));
  const store = new ImageStore({ state });
  const images = Array.from({ length: 12 }, (_, i) => ({
    tags: [`image${i}:1`],
    layers: [tarOf([{ name: `${i}`, data: `${i}` }])],
  }));
  const loading = store.load(Readable.from([ociLayout(images, "gzip")], { objectMode: false }));
  let over = false;
  loading.finally(() => {
    over = true;
  });
  while (!over) {
    await store.prune();
    await turn();
  }
  assert.equal((await loading).length, images.length);
  assert.equal((await store.list()).length, images.length);
  await store.settled();
  state.close();
});
