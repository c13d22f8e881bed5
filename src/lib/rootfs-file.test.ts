import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readRootfsFile } from "./rootfs-file.ts";

const base = mkdtempSync(join(tmpdir(), "berth-rootfs-file-"));
after(() => rmSync(base, { recursive: true }));

function layer(name: string, files: Record<string, string>): string {
  const root = join(base, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const upper = layer("upper", { "etc/passwd": "upper", opt: "a file hides the directory below" });
const lower = layer("lower", { "etc/passwd": "lower", "etc/group": "group", "opt/x": "hidden" });

const read = (path: string, roots = [upper, lower]): string | null =>
  readRootfsFile(roots, path)?.toString() ?? null;

test("the topmost layer wins", () => {
  assert.equal(read("/etc/passwd"), "upper");
  assert.equal(read("/etc/group"), "group");
});

test("a file in an upper layer hides a directory below it", () => {
  assert.equal(read("/opt/x"), null);
});

test("links stay inside the root, whatever they say", () => {
  const secret = layer("outside", { secret: "host" });
  mkdirSync(join(upper, "links"));
  symlinkSync("/etc/group", join(upper, "links", "absolute"));
  symlinkSync("../etc/group", join(upper, "links", "relative"));
  symlinkSync("../../../../../../etc/group", join(upper, "links", "climbing"));
  symlinkSync(join(secret, "secret"), join(upper, "links", "outside"));
  symlinkSync("loop", join(upper, "links", "loop"));
  symlinkSync("/proc/self/root", join(upper, "links", "magic"));
  assert.equal(read("/links/absolute"), "group");
  assert.equal(read("/links/relative"), "group");
  assert.equal(read("/links/climbing"), "group");
  assert.equal(read("/links/outside"), null);
  assert.equal(read("/links/loop"), null);
  assert.equal(read(`/links/magic${secret}/secret`), null);
});

test("what is not a small regular file reads as nothing", () => {
  assert.equal(read("/etc"), null);
  assert.equal(read("/missing/file"), null);
  writeFileSync(join(upper, "large"), Buffer.alloc(2048));
  assert.equal(readRootfsFile([upper], "/large", { limit: 1024 }), null);
});
