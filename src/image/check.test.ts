import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { busyboxImage, dockerArchive, ociLayout, tarOf } from "../../test/support/images.ts";
import { removeTree } from "../lib/remove-tree.ts";
import { openState, type State } from "../state/index.ts";
import { ImageStore } from "./store.ts";

const base = mkdtempSync(join(tmpdir(), "berth-check-"));
const opened: State[] = [];
after(async () => {
  for (const state of opened) state.close();
  await removeTree(base);
});

let roots = 0;

async function open(archive: Buffer) {
  const state = openState(join(base, String(roots++)));
  opened.push(state);
  const store = new ImageStore({ state });
  await store.load(Readable.from([archive], { objectMode: false }));
  return { state, store };
}

const second = tarOf([{ name: "second", data: "second" }]);
const image = busyboxImage({ layers: [...busyboxImage().layers, second] });

test("a sound store has no problems", async () => {
  const { store } = await open(ociLayout([image]));
  assert.deepEqual(await store.check(), { images: 1, layers: 2, blobs: 2, problems: [] });
});

test("a changed or missing file is found, and put right from the packed form", async () => {
  const { store } = await open(ociLayout([image]));
  const [top = "", bottom = ""] = (await store.resolve("busybox")).layers;
  appendFileSync(join(bottom, "bin/busybox"), "x");
  writeFileSync(join(bottom, "etc/passwd"), "root::0:0:::");
  rmSync(join(top, ".."), { recursive: true });
  const found = await store.check();
  assert.deepEqual(
    found.problems.map(({ kind, repaired }) => [kind, repaired]),
    [
      ["layer", false],
      ["layer", false],
    ],
  );
  const repaired = await store.check({ repair: true });
  assert.deepEqual(
    repaired.problems.map(({ repaired }) => repaired),
    [true, true],
  );
  assert.deepEqual((await store.check()).problems, []);
});

test("a damaged blob is dropped, the layer stays", async () => {
  const { state, store } = await open(ociLayout([image]));
  const [row] = state.db.prepare("SELECT digest FROM packed_layers WHERE kept = 1").all();
  writeFileSync(join(state.paths.content, "sha256", String(row?.digest).slice(7)), "damaged");
  const { problems } = await store.check({ repair: true });
  assert.deepEqual(
    problems.map(({ kind, repaired }) => [kind, repaired]),
    [["blob", true]],
  );
  assert.deepEqual(await store.check(), { images: 1, layers: 2, blobs: 1, problems: [] });
});

test("without a packed form damage is told and stays", async () => {
  const { store } = await open(dockerArchive([image]));
  const [top = ""] = (await store.resolve("busybox")).layers;
  writeFileSync(join(top, "second"), "SECOND");
  const { problems } = await store.check({ repair: true });
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.message ?? "", /not what they were: sha256:.*pull or load them again/);
  assert.equal(problems[0]?.repaired, false);
});

for (const [what, tamper] of [
  ["owner", (file: string) => chownSync(file, 5, 6)],
  ["mode", (file: string) => chmodSync(file, 0o4755)],
  ["time", (file: string) => utimesSync(file, 1, 1)],
  ["length", (file: string) => appendFileSync(file, "more")],
  [
    "attributes",
    (file: string) => execFileSync("python3", ["-c", `import os; os.setxattr("${file}", "user.x", b"1")`]),
  ],
  ["neighbours", (file: string) => writeFileSync(`${file}-new`, "")],
  ["directory", (file: string) => chmodSync(join(file, ".."), 0o700)],
] as const) {
  test(`a file's ${what} changed is found, and put right from its own archive`, async () => {
    const implied = tarOf([{ name: "sbin/below/file", data: "implied" }]);
    const owned = { type: "directory", mode: 0o750, uid: 7, gid: 8 } as const;
    const below = tarOf([
      { name: "sbin/", ...owned },
      { name: "sbin/below/", ...owned },
    ]);
    const { store } = await open(dockerArchive([{ ...image, layers: [...image.layers, below, implied] }]));
    await store.settled();
    const [top = ""] = (await store.resolve("busybox")).layers;
    const look = (): string[] =>
      execFileSync("find", [top, "-mindepth", "1", "-printf", "%P %m %U %G %s %T@ %l\n"], {
        encoding: "utf8",
      })
        .split("\n")
        .sort();
    const before = look();
    tamper(join(top, "sbin/below/file"));
    const { problems } = await store.check();
    assert.deepEqual(
      problems.map(({ message }) => message),
      ["its files are not what they were: owners, modes, times, attributes"],
    );
    const repaired = await store.check({ repair: true });
    assert.deepEqual(
      repaired.problems.map(({ repaired }) => repaired),
      [true],
    );
    assert.deepEqual(look(), before);
    assert.deepEqual((await store.check()).problems, []);
  });
}

test("a configuration that was tampered with", async () => {
  const { state, store } = await open(dockerArchive([image]));
  state.db.exec("UPDATE images SET config = CAST(replace(CAST(config AS TEXT), 'PATH', 'HTAP') AS BLOB)");
  assert.match((await store.check()).problems[0]?.message ?? "", /not what its id says/);
});
