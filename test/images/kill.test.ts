// kill -9 at random moments while images come and go: what is there afterwards is whole.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ImageStore } from "../../src/image/index.ts";
import { removeTree } from "../../src/lib/remove-tree.ts";
import { openState } from "../../src/state/index.ts";
import { busyboxImage, manifestOf, ociLayout, type TestImage, tarOf } from "../support/images.ts";
import { TestRegistry } from "../support/registry.ts";

const base = mkdtempSync(join(tmpdir(), "berth-images-kill-"));
after(() => removeTree(base));

const content = "x".repeat(20_000);
const many = tarOf(Array.from({ length: 500 }, (_, i) => ({ name: `d${i % 10}/f${i}`, data: content })));
const image: TestImage = { tags: ["many:1"], layers: [many, tarOf([{ name: "top", data: "top" }])] };
const archive = join(base, "archive.tar");
writeFileSync(archive, ociLayout([image, busyboxImage()]));
const layerFile = join(base, "layer.tar");
writeFileSync(layerFile, tarOf([{ name: "imported", data: "x" }]));
const root = join(base, "root");

const source = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../src", path));
/** Loads and removes images for ever, or pulls, imports and prunes them. */
const worker = (work: string): string => `
  import { createReadStream } from "node:fs";
  import { ImageStore } from ${source("image/index.ts")};
  import { openState } from ${source("state/index.ts")};
  const store = new ImageStore({ state: openState(${JSON.stringify(root)}) });
  store.recover();
  console.log("ready");
  for (;;) {
    ${work}
    await store.prune({ dangling: ["false"] });
  }`;

const loads = `
    await store.load(createReadStream(${JSON.stringify(archive)}));
    await store.remove("many:1");`;
const pulls = (host: string): string => `
    await Promise.all([store.pull("${host}/many:1"), store.pull("${host}/other:1")]);
    await store.tag("${host}/many:1", "${host}/copy:1");
    await store.push("${host}/copy:1");
    await store.import(createReadStream(${JSON.stringify(layerFile)}), { repo: "imported" });`;

async function killedAfter(work: string, milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", worker(work)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  assert.equal(child.exitCode, null);
  await sleep(milliseconds);
  child.kill("SIGKILL");
  await ended;
}

/** Every image is complete and nothing is there that belongs to none. */
async function check(): Promise<void> {
  const state = openState(root);
  try {
    const store = new ImageStore({ state });
    store.recover();
    await store.settled();
    const images = await store.list();
    const layers = new Set<string>();
    for (const { Id } of images) for (const layer of (await store.resolve(Id)).layers) layers.add(layer);
    for (const layer of layers) {
      assert.ok(existsSync(layer));
      const files = existsSync(join(layer, "d0"))
        ? readdirSync(layer).flatMap((name) =>
            readdirSync(join(layer, name)).map((file) => join(layer, name, file)),
          )
        : [];
      assert.ok(files.length === 0 || files.length === 500);
      for (const file of files) assert.equal(readFileSync(file, "utf8"), content);
    }
    assert.equal(readdirSync(state.paths.layers).length, layers.size);
    assert.deepEqual((await store.check()).problems, []);
    assert.deepEqual(readdirSync(state.paths.temporary), []);
  } finally {
    state.close();
  }
}

test("twelve kills while images are loaded leave whole images and nothing else", {
  timeout: 120_000,
}, async () => {
  for (let i = 0; i < 12; i++) {
    await killedAfter(loads, Math.random() * 400);
    await check();
  }
});

test("ten kills while images are pulled, pushed and imported", { timeout: 120_000 }, async () => {
  const registry = await TestRegistry.start();
  try {
    registry.add("many:1", manifestOf(image));
    registry.add("other:1", manifestOf({ ...image, config: { Env: ["A=1"] } }, "zstd"));
    for (let i = 0; i < 10; i++) {
      await killedAfter(pulls(registry.host), Math.random() * 600);
      await check();
    }
  } finally {
    await registry.stop();
  }
});
