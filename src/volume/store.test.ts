import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openState } from "../state/index.ts";
import { VolumeStore } from "./store.ts";

const base = mkdtempSync(join(tmpdir(), "berth-volumes-"));
after(() => rmSync(base, { recursive: true }));

function open(name: string, users = new Map<string, string[]>()) {
  const state = openState(join(base, name));
  const events: string[] = [];
  const store = new VolumeStore(state, {
    users: () => users,
    sizeOf: async (directory) => readdirSync(directory).length,
    onEvent: (action, volume) => events.push(`${action} ${volume}`),
  });
  return { state, store, events, [Symbol.dispose]: () => state.close() };
}

test("a volume is made once and kept", () => {
  {
    using opened = open("kept");
    opened.store.ensure({ name: "one", labels: { a: "b" } });
    opened.store.ensure({ name: "one", labels: { a: "c" } });
    assert.deepEqual(opened.events, ["create one"]);
    assert.ok(existsSync(opened.store.directory("one")));
  }
  using again = open("kept");
  assert.deepEqual(again.store.find("one")?.labels, { a: "b" });
});

test("what a crash left half-made is gone, but never data", () => {
  {
    using opened = open("crash");
    opened.store.ensure({ name: "lost" });
    rmSync(join(opened.state.paths.volumes, "lost"), { recursive: true });
    mkdirSync(join(opened.state.paths.volumes, "empty", "_data"), { recursive: true });
    mkdirSync(join(opened.state.paths.volumes, "full", "_data"), { recursive: true });
    writeFileSync(join(opened.state.paths.volumes, "full", "_data", "f"), "data");
  }
  using again = open("crash");
  assert.equal(again.store.find("lost"), undefined);
  assert.ok(!existsSync(join(again.state.paths.volumes, "empty")));
  assert.ok(existsSync(join(again.state.paths.volumes, "full", "_data", "f")));
});

test("one that is used stays; an unused one goes with its files", async () => {
  const users = new Map([["used", ["c1", "c2"]]]);
  using opened = open("use", users);
  const { store } = opened;
  store.ensure({ name: "used" });
  await assert.rejects(store.remove("used", { force: true }), /remove used: volume is in use - \[c1, c2\]/);
  await store.removeUnused("used");
  assert.ok(store.find("used"));
  users.clear();
  writeFileSync(join(store.directory("used"), "f"), "");
  await store.remove("used");
  assert.ok(!existsSync(store.directory("used")));
  await assert.rejects(store.remove("used"), /get used: no such volume/);
});

test("names and options as dockerd wants them", () => {
  using opened = open("checks");
  const { store } = opened;
  assert.throws(() => store.ensure({ name: "x" }), /create x: volume name is too short/);
  for (const name of ["../up", "a/b", ".hidden", "a b", "a".repeat(256)]) {
    assert.throws(() => store.ensure({ name }), /includes invalid characters/, name);
  }
  assert.throws(() => store.ensure({ name: "aa", driver: "nfs" }), /plugin "nfs" not found/);
  assert.throws(
    () => store.ensure({ name: "aa", options: { o: "bind" } }),
    /missing required option: "device"/,
  );
  assert.throws(() => store.ensure({ name: "aa", options: { x: "y" } }), /invalid option: "x"/);
  assert.deepEqual(store.find("aa"), undefined);
});

test("prune spares named volumes, those with options and those in use", async () => {
  const users = new Map<string, string[]>();
  using opened = open("prune", users);
  const { store } = opened;
  store.ensure({ name: "named" });
  store.ensure({ name: "optioned", options: { type: "tmpfs", device: "tmpfs" } });
  const used = store.ensure({}).name;
  const idle = store.ensure({}).name;
  users.set(used, ["c"]);
  writeFileSync(join(store.directory(idle), "f"), "12345");
  assert.deepEqual(await store.prune(), { VolumesDeleted: [idle], SpaceReclaimed: 1 });
  assert.deepEqual((await store.prune({ all: ["1"] })).VolumesDeleted, ["named"]);
  assert.deepEqual(
    (await store.list()).Volumes?.map(({ Name }) => Name),
    ["optioned", used],
  );
});

test("filters of a list", async () => {
  using opened = open("filters", new Map([["used", ["c"]]]));
  const { store } = opened;
  store.ensure({ name: "used", labels: { k: "v" } });
  store.ensure({ name: "idle" });
  const names = async (filters: Record<string, string[]>): Promise<(string | undefined)[]> =>
    ((await store.list(filters)).Volumes ?? []).map(({ Name }) => Name);
  assert.deepEqual(await names({ dangling: ["true"] }), ["idle"]);
  assert.deepEqual(await names({ dangling: ["0"] }), ["used"]);
  assert.deepEqual(await names({ label: ["k"] }), ["used"]);
  assert.deepEqual(await names({ label: ["k=w"] }), []);
  assert.deepEqual(await names({ name: ["^id", "nothing"] }), ["idle"]);
  await assert.rejects(names({ dangling: ["maybe"] }), /invalid filter 'dangling=\[maybe\]'/);
  await assert.rejects(names({ color: ["red"] }), /invalid filter 'color'/);
});
