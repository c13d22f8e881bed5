import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
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
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  busyboxImage,
  busyboxLayer,
  dockerArchive,
  hostArchitecture,
  imageConfig,
  imageId,
  ociLayout,
  sha256,
  type TestImage,
  tarOf,
} from "../../test/support/images.ts";
import { openState, type State } from "../state/index.ts";
import { ImageStore } from "./store.ts";
import type { ImageEvent, ImageUser, Progress } from "./types.ts";

const base = mkdtempSync(join(tmpdir(), "berth-images-"));
const opened: State[] = [];
after(() => {
  for (const state of opened) state.close();
  rmSync(base, { recursive: true, force: true });
});

let roots = 0;

function open(options: { users?: () => ImageUser[]; onEvent?: (event: ImageEvent) => void } = {}) {
  const state = openState(join(base, String(roots++)));
  opened.push(state);
  return { state, store: new ImageStore({ state, ...options }) };
}

/** In pieces, as a socket gives it. */
const stream = (data: Buffer): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0; at < data.length; at += 65536) yield data.subarray(at, at + 65536);
    })(),
    { objectMode: false },
  );

const temporary = (state: State): string[] => readdirSync(state.paths.temporary);
const layerCount = (state: State): number => readdirSync(state.paths.layers).length;

const small = (name: string, changes: Partial<TestImage> = {}): TestImage => ({
  tags: [`${name}:latest`],
  layers: [tarOf([{ name: "file", data: name }])],
  ...changes,
});

const filter = (program: string, input: Buffer): Buffer =>
  execFileSync(program, ["-c"], { input, maxBuffer: 2 ** 26 });

describe("load", () => {
  const archives: [string, (image: TestImage) => Buffer][] = [
    ["docker archive", (image) => dockerArchive([image])],
    ["docker archive in gzip", (image) => gzipSync(dockerArchive([image]))],
    ["docker archive in zstd", (image) => zstdCompressSync(dockerArchive([image]))],
    ["docker archive in bzip2", (image) => filter("bzip2", dockerArchive([image]))],
    ["docker archive in xz", (image) => filter("xz", dockerArchive([image]))],
    ["OCI layout with gzip layers", (image) => ociLayout([image], "gzip")],
    ["OCI layout with zstd layers", (image) => ociLayout([image], "zstd")],
    ["OCI layout with plain layers", (image) => ociLayout([image], "plain")],
  ];
  for (const [name, archive] of archives) {
    test(`a ${name}, its files as they were`, async () => {
      const { state, store } = open();
      const image = busyboxImage();
      assert.deepEqual(await store.load(stream(archive(image))), ["busybox:latest"]);
      const resolved = await store.resolve("busybox");
      assert.equal(resolved.id, imageId(image));
      assert.deepEqual(resolved.document.config?.Cmd, ["sh"]);
      const [layer = ""] = resolved.layers;
      assert.deepEqual(readFileSync(join(layer, "bin/busybox")), readFileSync("/bin/busybox"));
      assert.equal(lstatSync(join(layer, "tmp")).mode & 0o7777, 0o1777);
      assert.equal(
        lstatSync(join(layer, "etc/passwd"), { bigint: true }).mtimeNs,
        1_704_164_645_000_000_000n,
      );
      assert.deepEqual(temporary(state), []);
    });
  }

  test("several images share their layers", async () => {
    const { state, store } = open();
    const shared = tarOf([{ name: "shared", data: "s" }]);
    const a = small("a", { layers: [shared, tarOf([{ name: "a", data: "a" }])] });
    const b = small("b", { layers: [shared, tarOf([{ name: "b", data: "b" }])] });
    const said: Progress[] = [];
    const loaded = await store.load(stream(dockerArchive([a, b])), { onProgress: (line) => said.push(line) });
    assert.deepEqual(loaded, ["a:latest", "b:latest"]);
    assert.equal(layerCount(state), 3);
    assert.ok(said.some(({ stream }) => stream === "Loaded image: b:latest\n"));
    assert.ok(said.some(({ status }) => status === "Loading layer"));
    const [first, second] = (await store.resolve("a")).layers;
    assert.ok(existsSync(join(first ?? "", "a")) && existsSync(join(second ?? "", "shared")));
  });

  test("an image without a name is known by its id", async () => {
    const { store } = open();
    const image = small("x", { tags: [] });
    assert.deepEqual(await store.load(stream(dockerArchive([image]))), [imageId(image)]);
    assert.equal((await store.resolve(imageId(image).slice(7, 19))).id, imageId(image));
  });

  test("an image without layers has an empty directory", async () => {
    const { store } = open();
    await store.load(stream(dockerArchive([small("none", { layers: [] })])));
    const { layers } = await store.resolve("none");
    assert.deepEqual(readdirSync(layers[0] ?? ""), []);
  });

  test("of several platforms the machine's own, or the one asked for", async () => {
    const foreign = { architecture: "s390x", layers: [tarOf([{ name: "foreign", data: "f" }])] };
    const images = [small("multi", foreign), small("multi", { architecture: hostArchitecture() })];
    const { store } = open();
    await store.load(stream(ociLayout(images)));
    assert.equal((await store.resolve("multi")).platform.architecture, hostArchitecture());
    await store.load(stream(ociLayout(images)), { platform: "linux/s390x" });
    assert.equal((await store.resolve("multi")).platform.architecture, "s390x");
    await assert.rejects(
      store.load(stream(ociLayout(images)), { platform: "linux/riscv64" }),
      /linux\/riscv64/,
    );
  });

  test("again changes nothing and unpacks nothing", async () => {
    const { state, store } = open();
    const archive = ociLayout([busyboxImage()]);
    await store.load(stream(archive));
    await store.load(stream(archive));
    assert.equal(layerCount(state), 1);
    assert.deepEqual(temporary(state), []);
  });

  test("a name moves to the image loaded last", async () => {
    const { store } = open();
    await store.load(stream(dockerArchive([small("a")])));
    const said: Progress[] = [];
    const other = small("b", { tags: ["a:latest"] });
    await store.load(stream(dockerArchive([other])), { onProgress: (line) => said.push(line) });
    assert.match(
      said[1]?.stream ?? "",
      /^The image a:latest already exists, renaming the old one with ID sha256:/,
    );
    assert.equal((await store.resolve("a")).id, imageId(other));
    assert.equal((await store.list({ filters: { dangling: ["true"] } })).length, 1);
  });
});

describe("layers", () => {
  test("whiteouts and opaque directories take overlayfs's form, what the same layer has stays", async () => {
    const { store } = open();
    const layer = tarOf([
      { name: "gone/.wh.file", data: "" },
      { name: "opaque/", type: "directory" },
      { name: "opaque/.wh..wh..opq", data: "" },
      { name: "opaque/new", data: "n" },
      { name: ".wh.kept", data: "" },
      { name: "kept", data: "kept" },
      { name: ".wh..wh.plnk", data: "" },
    ]);
    await store.load(stream(dockerArchive([small("w", { layers: [layer] })])));
    const [root = ""] = (await store.resolve("w")).layers;
    const whiteout = lstatSync(join(root, "gone/file"));
    assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
    assert.equal(readFileSync(join(root, "kept"), "utf8"), "kept");
    assert.deepEqual(readdirSync(root).sort(), ["gone", "kept", "opaque"]);
    assert.deepEqual(readdirSync(join(root, "opaque")), ["new"]);
  });

  test("directories that are only implied take their attributes from below", async () => {
    const { store } = open();
    const below = tarOf([{ name: "d/", type: "directory", mode: 0o1770, uid: 7, gid: 8 }]);
    const above = tarOf([{ name: "d/e/file", data: "x" }]);
    await store.load(stream(dockerArchive([small("i", { layers: [below, above] })])));
    const [root = ""] = (await store.resolve("i")).layers;
    const { mode, uid, gid, mtimeMs } = lstatSync(join(root, "d"));
    assert.deepEqual([mode & 0o7777, uid, gid, mtimeMs], [0o1770, 7, 8, 1_704_164_645_000]);
    assert.equal(lstatSync(join(root, "d/e")).mode & 0o7777, 0o755);
  });
});

describe("names", () => {
  test("an image is found by name, id and prefix, and dockerd's words say when not", async () => {
    const { store } = open();
    await store.load(stream(dockerArchive([busyboxImage()])));
    const id = imageId(busyboxImage());
    for (const ref of [
      "busybox",
      "busybox:latest",
      "docker.io/library/busybox",
      id,
      id.slice(7),
      id.slice(7, 15),
      id.slice(0, 20),
    ]) {
      assert.equal((await store.inspect(ref)).Id, id, ref);
    }
    await assert.rejects(store.inspect("nosuch"), {
      code: "NOT_FOUND",
      message: "No such image: nosuch:latest",
    });
    await assert.rejects(store.inspect("busybox:1"), { message: "No such image: busybox:1" });
    await assert.rejects(store.inspect(`sha256:${"0".repeat(64)}`), { code: "NOT_FOUND" });
    await assert.rejects(store.inspect("Busybox"), { code: "INVALID_PARAMETER" });
  });

  test("tag, list, history", async () => {
    const events: ImageEvent[] = [];
    const { store } = open({ onEvent: (event) => events.push(event) });
    await store.load(stream(dockerArchive([busyboxImage({ config: { Labels: { a: "1" } } })])));
    await store.tag("busybox", "localhost:5000/bb", "v1");
    await store.tag("busybox", "bb");
    const [image] = await store.list();
    assert.deepEqual(image?.RepoTags, ["bb:latest", "busybox:latest", "localhost:5000/bb:v1"]);
    assert.ok((image?.Size ?? 0) > 1_000_000);
    const names = async (filters: Record<string, string[]>): Promise<unknown> =>
      (await store.list({ filters })).map(({ RepoTags }) => RepoTags);
    assert.deepEqual(await names({ reference: ["bb"] }), [["bb:latest"]]);
    assert.deepEqual(await names({ reference: ["*box:l*"] }), [["busybox:latest"]]);
    assert.deepEqual(await names({ label: ["a=2"] }), []);
    assert.equal((await store.list({ filters: { label: ["a"] } })).length, 1);
    assert.equal((await store.list({ filters: { before: ["busybox"] } })).length, 0);
    await assert.rejects(store.list({ filters: { nonsense: ["1"] } }), {
      message: "invalid filter 'nonsense'",
    });
    const history = await store.history("busybox");
    assert.equal(history[0]?.CreatedBy, "layer 0");
    assert.equal(history[0]?.Tags.length, 3);
    await assert.rejects(store.tag("busybox", "Bad"), { code: "INVALID_PARAMETER" });
    await assert.rejects(store.tag("busybox", "sha256", "abc"), /ambiguous tag/);
    assert.deepEqual(
      events.map(({ action }) => action),
      ["load", "tag", "tag"],
    );
  });
});

describe("remove", () => {
  test("one name of several, then the image with its files", async () => {
    const { state, store } = open();
    await store.load(stream(dockerArchive([busyboxImage()])));
    await store.tag("busybox", "bb");
    const id = imageId(busyboxImage());
    await assert.rejects(store.remove(id), {
      code: "CONFLICT",
      message: `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
    });
    assert.deepEqual(await store.remove("bb"), [{ Untagged: "bb:latest" }]);
    const deleted = await store.remove("busybox");
    assert.deepEqual(deleted.slice(0, 2), [{ Untagged: "busybox:latest" }, { Deleted: id }]);
    assert.equal(deleted.length, 3);
    assert.equal(layerCount(state), 0);
    assert.deepEqual(temporary(state), []);
  });

  test("not while containers use it; by force, but for running ones, and they keep their layers", async () => {
    const users: ImageUser[] = [];
    const { state, store } = open({ users: () => users });
    await store.load(stream(dockerArchive([busyboxImage()])));
    const { id, layers } = await store.resolve("busybox");
    store.use(id, "c".repeat(64));
    users.push({ containerId: "c".repeat(64), imageId: id, running: true });
    const short = id.slice(7, 19);
    await assert.rejects(store.remove("busybox"), {
      message: `conflict: unable to remove repository reference "busybox" (must force) - container cccccccccccc is using its referenced image ${short}`,
    });
    await assert.rejects(store.remove(id, { force: true }), {
      message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
    });
    users[0] = { containerId: "c".repeat(64), imageId: id, running: false };
    await assert.rejects(store.remove(id), {
      message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
    });
    await store.remove(id, { force: true });
    assert.deepEqual(await store.list(), []);
    assert.deepEqual(store.layersOf("c".repeat(64)), layers);
    assert.equal(layerCount(state), 1);
    users.length = 0;
    store.release("c".repeat(64));
    await store.settled();
    assert.equal(layerCount(state), 0);
  });

  test("prune takes what has no name, or with dangling=false what is not in use", async () => {
    const users: ImageUser[] = [];
    const { store } = open({ users: () => users });
    await store.load(stream(dockerArchive([small("a"), small("b"), small("c", { tags: [] })])));
    const used = await store.resolve("a");
    users.push({ containerId: "1", imageId: used.id, running: false });
    const first = await store.prune();
    assert.deepEqual(first.ImagesDeleted?.[0], { Deleted: imageId(small("c", { tags: [] })) });
    assert.equal(first.SpaceReclaimed, 1);
    await store.prune({ dangling: ["false"] });
    assert.deepEqual(
      (await store.list()).map(({ RepoTags }) => RepoTags),
      [["a:latest"]],
    );
  });
});

describe("bzip2 and xz", () => {
  for (const program of ["bzip2", "xz"]) {
    test(`a layer in ${program}`, async () => {
      const { store } = open();
      const image = small("packed");
      const config = imageConfig(image);
      const archive = tarOf([
        { name: "config.json", data: config },
        { name: "layer.tar", data: filter(program, image.layers[0] ?? Buffer.alloc(0)) },
        {
          name: "manifest.json",
          data: JSON.stringify([{ Config: "config.json", RepoTags: ["packed:1"], Layers: ["layer.tar"] }]),
        },
      ]);
      assert.deepEqual(await store.load(stream(archive)), ["packed:1"]);
      assert.equal((await store.inspect("packed:1")).Id, sha256(config));
    });

    test(`a root filesystem in ${program}`, async () => {
      const { store } = open();
      const id = await store.import(stream(filter(program, busyboxLayer())));
      assert.deepEqual((await store.inspect(id)).RootFS?.Layers, [sha256(busyboxLayer())]);
    });

    test(`what is damaged in ${program} leaves nothing`, async () => {
      const { state, store } = open();
      const whole = filter(program, dockerArchive([busyboxImage()]));
      const changed = Buffer.from(whole);
      changed.fill(0, whole.length / 2, whole.length / 2 + 1000);
      for (const archive of [whole.subarray(0, whole.length / 2), changed])
        await assert.rejects(store.load(stream(archive)), /damaged data/);
      await assert.rejects(store.import(stream(changed)), /damaged data/);
      assert.deepEqual([temporary(state), await store.list(), layerCount(state)], [[], [], 0]);
    });
  }
});

describe("import", () => {
  test("a root filesystem with changes", async () => {
    const { store } = open();
    const changes = [
      'CMD ["sh"]',
      "ENV A=1 B='two words'",
      "EXPOSE 80",
      "USER nobody",
      "WORKDIR /tmp",
      "LABEL x=y",
    ];
    const id = await store.import(stream(gzipSync(busyboxLayer())), {
      repo: "imported",
      changes,
      message: "hi",
    });
    const image = await store.inspect("imported:latest");
    assert.equal(image.Id, id);
    assert.equal(image.Comment, "hi");
    assert.deepEqual(image.Config, {
      Cmd: ["sh"],
      Env: ["A=1", "B=two words"],
      ExposedPorts: { "80/tcp": {} },
      User: "nobody",
      WorkingDir: "/tmp",
      Labels: { x: "y" },
    });
    await assert.rejects(store.import(stream(busyboxLayer()), { changes: ["RUN x"] }), {
      message: "run is not a valid change command",
    });
  });
});

test("what is kept is there after the root is opened again, and orphans are removed", async () => {
  const root = join(base, "again");
  const first = openState(root);
  const store = new ImageStore({ state: first });
  await store.load(stream(ociLayout([busyboxImage()])));
  for (const orphan of [join(first.paths.layers, "77"), join(first.paths.temporary, "half")]) {
    mkdirSync(join(orphan, "fs"), { recursive: true });
  }
  writeFileSync(join(first.paths.content, "sha256", "0".repeat(64)), "x");
  first.close();
  const second = openState(root);
  opened.push(second);
  const again = new ImageStore({ state: second });
  again.recover();
  await again.settled();
  assert.deepEqual(readdirSync(second.paths.layers), ["1"]);
  assert.deepEqual(temporary(second), []);
  assert.equal(readdirSync(join(second.paths.content, "sha256")).length, 1);
  const { layers } = await again.resolve("busybox");
  assert.ok(existsSync(join(layers[0] ?? "", "bin/sh")));
});

test("what had not reached the disk when the power went is not trusted", async () => {
  const root = join(base, "power");
  const first = openState(root);
  const store = new ImageStore({ state: first });
  store.recover();
  await store.load(stream(dockerArchive([small("kept")])));
  await store.settled();
  assert.equal(first.db.prepare("SELECT min(synced) AS synced FROM layers").get()?.synced, 1);
  await store.load(stream(dockerArchive([small("lost")])));
  await store.settled();
  first.db.exec("UPDATE layers SET synced = 0 WHERE id = 2; UPDATE last_boot SET id = 'another'");
  first.close();
  const second = openState(root);
  opened.push(second);
  const again = new ImageStore({ state: second });
  again.recover();
  await again.settled();
  assert.deepEqual(
    (await again.list()).map(({ RepoTags }) => RepoTags),
    [["kept:latest"]],
  );
  assert.equal(layerCount(second), 1);
});

test("a built-in image is loaded when it is first asked for", async () => {
  const file = join(base, "hello.tar");
  writeFileSync(file, dockerArchive([small("hello")]));
  const state = openState(join(base, "builtin"));
  opened.push(state);
  const store = new ImageStore({ state, builtin: { hello: file } });
  assert.deepEqual(await store.list(), []);
  await store.resolve("hello");
  assert.equal((await store.list()).length, 1);
  await assert.rejects(store.resolve("other"), { code: "NOT_FOUND" });
});
