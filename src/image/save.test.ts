import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import {
  busyboxImage,
  dockerArchive,
  imageId,
  ociLayout,
  type TestImage,
  tarOf,
} from "../../test/support/images.ts";
import { removeTree } from "../lib/remove-tree.ts";
import { openState, type State } from "../state/index.ts";
import { ImageStore } from "./store.ts";

const base = mkdtempSync(join(tmpdir(), "berth-save-"));
const opened: State[] = [];
after(async () => {
  for (const state of opened) state.close();
  await removeTree(base);
});

let roots = 0;

function open() {
  const state = openState(join(base, String(roots++)));
  opened.push(state);
  return { state, store: new ImageStore({ state }) };
}

const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });

const odd: TestImage = {
  tags: ["odd:1"],
  layers: [
    tarOf([
      { name: "d/", type: "directory", mode: 0o1777, uid: 70_000 },
      { name: "d/f", data: "data", mode: 0o6755, mtime: 1_700_000_000_123_456_789n },
      { name: "d/link", type: "link", linkname: "d/f" },
      { name: "l", type: "symlink", linkname: "../../x" },
      { name: "l2", type: "symlink", linkname: "d" },
      { name: "l2/through", data: "through a link" },
      { name: "n".repeat(200), data: "long" },
      { name: "null", type: "character", major: 1, minor: 3 },
      { name: ".wh.gone" },
    ]),
  ],
};

for (const [name, archive] of [
  ["plain", dockerArchive([busyboxImage(), odd])],
  ["gzip", ociLayout([busyboxImage(), odd], "gzip")],
  ["zstd", ociLayout([busyboxImage(), odd], "zstd")],
] as const) {
  test(`${name} layers come back bit for bit`, async () => {
    const first = open().store;
    await first.load(stream(archive));
    const saved = await buffer(await first.save(["busybox", "odd:1"]));
    const { store } = open();
    assert.deepEqual(await store.load(stream(saved)), ["busybox:latest", "odd:1"]);
    assert.equal((await store.inspect("odd:1")).Id, imageId(odd));
    // As an OCI layout alone too.
    const file = join(base, "saved.tar");
    writeFileSync(file, saved);
    execFileSync("tar", ["--delete", "-f", file, "manifest.json"]);
    const again = open().store;
    await again.load(Readable.from([execFileSync("cat", [file], { maxBuffer: 1 << 28 })]));
    assert.equal((await again.inspect("busybox")).Id, imageId(busyboxImage()));
  });
}

test("a repository stands for all its tags, an id for none", async () => {
  const { store } = open();
  await store.load(stream(dockerArchive([odd])));
  await store.tag("odd:1", "odd", "2");
  const other = open().store;
  assert.deepEqual(await other.load(await store.save(["odd"])), ["odd:1", "odd:2"]);
  const third = open().store;
  assert.deepEqual(await third.load(await store.save([imageId(odd)])), [imageId(odd)]);
  await assert.rejects(store.save(["nosuch"]), { code: "NOT_FOUND" });
});

test("files that were changed behind its back are noticed", async () => {
  const { store } = open();
  await store.load(stream(dockerArchive([odd])));
  const [root = ""] = (await store.resolve("odd:1")).layers;
  await appendFile(join(root, "d/through"), "!");
  writeFileSync(join(root, "d/f"), "DATA");
  await assert.rejects(buffer(await store.save(["odd:1"])), /are not what they were/);
});

const file = (name: string, data = name) => ({ name, data });
const directory = (name: string) => ({ name, type: "directory" as const });
const link = (name: string, linkname: string) => ({ name, type: "symlink" as const, linkname });
const hard = (name: string, linkname: string) => ({ name, type: "link" as const, linkname });
const deeper = "d/".repeat(1500);

for (const [what, entries] of [
  ["files by files, again and again", [file("a", "1"), file("a", "22"), file("b"), file("a", "333")]],
  ["a file by a directory", [file("a"), directory("a"), file("a/b")]],
  ["a file by a link", [file("b"), file("a"), link("a", "b")]],
  ["a file by a hard link", [file("a"), file("b"), hard("b", "a")]],
  ["a file by nothing", [file("a"), { name: "a", type: "fifo" as const }]],
  ["a file that has another name", [file("a"), hard("b", "a"), file("a", "new"), file("b", "newer")]],
  ["directories by files", [directory("d"), file("d/e/f"), file("d/g"), file("d", "now a file"), file("h")]],
  ["a directory by a link", [file("d/e/f", "below"), file("x/e/f", "other"), link("d", "x")]],
  ["deep directories", [file(`${deeper}f`, "deep"), file("d", "flat")]],
  ["a link that leads to files", [directory("r"), link("l", "r"), file("l/a"), file("l/b"), directory("l")]],
  ["what is behind a link", [directory("r"), link("l", "r"), file("l/a"), file("r/a", "new"), file("r")]],
  ["links that lead through links", [file("r/a"), link("l", "r"), file("l/b"), link("l", "x"), file("x/b")]],
] as const) {
  test(`what replaces ${what} is made again`, async () => {
    const { state, store } = open();
    const image: TestImage = { tags: ["replaced:1"], layers: [tarOf([...entries])] };
    await store.load(stream(dockerArchive([image])));
    const other = open().store;
    await other.load(await store.save(["replaced:1"]));
    assert.equal((await other.inspect("replaced:1")).Id, imageId(image));
    assert.deepEqual((await store.check()).problems, []);
    assert.deepEqual(readdirSync(state.paths.temporary), []);
  });
}
