import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeInitrd } from "./initrd.ts";
import type { GuestKernel } from "./kernel.ts";

const root = mkdtempSync(join(tmpdir(), "berth-initrd-"));
after(() => rmSync(root, { recursive: true }));

const modules = join(root, "modules");
const kernel: GuestKernel = { version: "1", image: join(root, "vmlinuz-1"), modules };
const init = join(root, "launcher");
const cache = join(root, "cache");
mkdirSync(join(modules, "kernel/net"), { recursive: true });
writeFileSync(kernel.image, "");
writeFileSync(init, "program");
writeFileSync(join(modules, "modules.builtin"), "kernel/fs/ext4.ko\n");
const object = (depends: string) => Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0name=x\0`);
writeFileSync(join(modules, "kernel/base.ko"), object(""));
writeFileSync(join(modules, "kernel/ring-two.ko.gz"), gzipSync(object("base")));
writeFileSync(join(modules, "kernel/net/net_card.ko.zst"), zstdCompressSync(object("ring_two,base")));

const make = (names: string[]) => makeInitrd({ kernel, init, modules: names, cache });

test("modules come after what they need, built-in ones not at all", () => {
  const archive = readFileSync(make(["net-card", "ext4", "base"])).toString("latin1");
  assert.match(archive, /base\.ko\nring_two\.ko\nnet_card\.ko\n/);
  assert.ok(!archive.includes("ext4"));
  assert.ok(archive.includes("depends=ring_two,base"), "decompressed");
});

test("the same content is made once, another one anew", () => {
  const first = make(["base"]);
  assert.equal(make(["base"]), first);
  assert.notEqual(make(["ring_two"]), first);
  writeFileSync(init, "another");
  utimesSync(init, 1, 1);
  assert.notEqual(make(["base"]), first);
});

test("a module that the kernel does not have is named", () => {
  assert.throws(() => make(["absent"]), /the guest kernel 1 has no module absent/);
});

test("cpio reads the archive", () => {
  const listing = execFileSync("busybox", ["cpio", "-tv"], {
    input: readFileSync(make(["base"])),
  }).toString();
  const lines = listing
    .trimEnd()
    .split("\n")
    .map((line) => `${line.slice(0, 10)} ${line.split(" ").at(-1)}`);
  assert.deepEqual(lines, [
    "drwxr-xr-x dev",
    "drwxr-xr-x proc",
    "drwxr-xr-x sys",
    "drwxr-xr-x modules",
    "crw------- dev/console",
    "-r--r--r-- modules/base.ko",
    "-r--r--r-- modules/list",
    "-r-xr-xr-x init",
  ]);
});
