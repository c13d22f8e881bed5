import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirectories } from "./make-directories.ts";

test("directories are made as far as they are missing, or it is said why not", () => {
  const root = mkdtempSync(join(tmpdir(), "berth-directories-"));
  try {
    const deep = join(root, "a/b/c");
    makeDirectories(deep, 0o700);
    makeDirectories(deep, 0o755);
    assert.equal(statSync(join(root, "a/b")).mode & 0o777, 0o700);
    writeFileSync(join(root, "file"), "");
    assert.throws(() => makeDirectories(join(root, "file"), 0o700), { code: "EEXIST" });
    assert.throws(() => makeDirectories(join(root, "file/x"), 0o700), { code: "ENOTDIR" });
    symlinkSync("nowhere", join(root, "dangling"));
    assert.throws(() => makeDirectories(join(root, "dangling/x"), 0o700), { code: "ENOENT" });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("/proc refuses instead of keeping one for ever", () => {
  assert.throws(() => makeDirectories("/proc/nothing/deep", 0o700), { code: "ENOENT" });
});
