import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { type Template, TemplateStore, templateFiles } from "./template.ts";

let root: string;
let store: TemplateStore;
let source: { files: string[]; args: string[]; kernel: string };

beforeEach((t) => {
  root = mkdtempSync(join(tmpdir(), "berth-templates-"));
  if ("after" in t) t.after(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, "qemu"), "qemu");
  source = { files: [join(root, "qemu")], args: ["-M", "microvm"], kernel: "6.1" };
  store = new TemplateStore(join(root, "templates"));
});

const size = { memory: 1 << 20, cpus: 1 };

function add(memory = size.memory): Promise<Template> {
  const saved = mkdtempSync(join(root, "saved-"));
  writeFileSync(join(saved, templateFiles.state), "devices");
  writeFileSync(join(saved, templateFiles.kernelHead), "kernel");
  writeFileSync(join(saved, templateFiles.saved), "memory");
  truncateSync(join(saved, templateFiles.saved), memory);
  return store.add(source, { ...size, memory }, "token", saved);
}

/** What is found, or why it cannot be used. */
function find(wanted = size): string | null {
  let why: string | null = null;
  const found = store.find(source, wanted, (_, reason) => {
    why = reason;
  });
  return found?.name ?? why;
}

test("a template is found by its size and all that it was made with", async () => {
  const { name, token, kernel } = await add();
  assert.deepEqual([token, kernel], ["token", "6.1"]);
  assert.equal(find(), name);
  assert.equal(find({ ...size, cpus: 2 }), null);
  assert.equal(find({ ...size, memory: 2 << 20 }), null);
  source.args.push("-cpu");
  assert.equal(find(), null);
  source.args.pop();
  assert.equal(find(), name);
  writeFileSync(join(root, "qemu"), "newer");
  assert.equal(find(), null);
});

test("a new one takes the place of that of its size, and those of another source go", async () => {
  const { name } = await add();
  assert.equal((await add()).name, name);
  assert.equal(store.list().length, 1);
  writeFileSync(join(root, "qemu"), "newer");
  const { name: newer } = await add(2 << 20);
  assert.deepEqual(
    store.list().map((template) => template.name),
    [newer],
  );
});

test("of many the one that was used longest ago goes", async () => {
  const names: string[] = [];
  for (let at = 1; at <= 8; at++) names.push((await add(at << 20)).name);
  names.forEach((name, at) => {
    utimesSync(join(root, "templates", name), at, at);
  });
  assert.equal(find(), names[0]);
  const { name: ninth } = await add(9 << 20);
  const kept = store.list().map(({ name }) => name);
  assert.equal(kept.length, 8);
  assert.ok(kept.includes(ninth) && kept.includes(names[0] ?? "") && !kept.includes(names[1] ?? ""));
});

test("a damaged one is told of and goes", async () => {
  const damages: [damage: (template: Template) => void, why: RegExp][] = [
    [({ state }) => writeFileSync(state, "Devices"), /state is not what was saved/],
    [({ state }) => rmSync(state), /ENOENT/],
    [({ kernelHead }) => rmSync(kernelHead), /ENOENT/],
    [({ saved }) => appendFileSync(saved, "x"), /memory is not what was saved/],
    [({ saved }) => utimesSync(saved, 1, 1), /memory is not what was saved/],
    [({ saved }) => rmSync(saved), /ENOENT/],
    [({ state }) => writeFileSync(join(state, "..", templateFiles.description), "{"), /JSON/],
    [({ state }) => writeFileSync(join(state, "..", templateFiles.description), "{}"), /./],
  ];
  for (const [damage, why] of damages) {
    const template = await add();
    damage(template);
    assert.match(find() ?? "", why);
    assert.ok(!existsSync(template.state));
    assert.equal(find(), null);
  }
});

test("one found whole before is looked at again when it changes", async () => {
  const { name, state } = await add();
  assert.equal(find(), name);
  writeFileSync(state, "Devices");
  utimesSync(state, 1, 1);
  assert.match(find() ?? "", /state is not what was saved/);
});

test("removing tells whether there was one, and takes no other path for a name", async () => {
  const { name } = await add();
  mkdirSync(join(root, "other"));
  for (const absent of ["absent", "../other", ".", ""]) assert.equal(store.remove(absent), false);
  assert.ok(existsSync(join(root, "other")));
  assert.equal(store.remove(name), true);
  assert.deepEqual(store.list(), []);
});
