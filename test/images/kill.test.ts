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
import { busyboxImage, ociLayout, type TestImage, tarOf } from "../support/images.ts";

const base = mkdtempSync(join(tmpdir(), "berth-images-kill-"));
after(() => removeTree(base));

const content = "x".repeat(20_000);
const many = tarOf(Array.from({ length: 500 }, (_, i) => ({ name: `d${i % 10}/f${i}`, data: content })));
const image: TestImage = { tags: ["many:1"], layers: [many, tarOf([{ name: "top", data: "top" }])] };
const archive = join(base, "archive.tar");
writeFileSync(archive, ociLayout([image, busyboxImage()]));
const root = join(base, "root");

const source = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../src", path));
const worker = `
  import { createReadStream } from "node:fs";
  import { ImageStore } from ${source("image/index.ts")};
  import { openState } from ${source("state/index.ts")};
  const store = new ImageStore({ state: openState(${JSON.stringify(root)}) });
  store.recover();
  console.log("ready");
  for (;;) {
    await store.load(createReadStream(${JSON.stringify(archive)}));
    await store.remove("many:1");
    await store.prune({ dangling: ["false"] });
  }`;

async function killedAfter(milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", worker], {
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
    assert.equal(readdirSync(join(state.paths.content, "sha256")).length, layers.size);
    assert.deepEqual(readdirSync(state.paths.temporary), []);
  } finally {
    state.close();
  }
}

test("twelve kills leave whole images and nothing else", { timeout: 120_000 }, async () => {
  for (let i = 0; i < 12; i++) {
    await killedAfter(Math.random() * 400);
    await check();
  }
});
