import assert from "node:assert/strict";
import { test } from "node:test";
import { groupPath } from "./group-path.ts";
import { isWithin } from "./manage.ts";

test("paths have one form", () => {
  for (const given of ["a/b", "/a/b/", "./a//b"]) assert.equal(groupPath(given), "/a/b");
  assert.equal(groupPath(""), "/");
});

test("paths that lead elsewhere or name the kernel's files are refused", () => {
  for (const given of ["../a", "a/../b", "a/memory.max", "cgroup.procs", "a\0b", "a/".repeat(40)])
    assert.throws(() => groupPath(given), { code: "INVALID_PARAMETER" }, given);
});

test("what is within what", () => {
  assert.ok(isWithin("/a/b", "/a") && isWithin("/a", "/a") && isWithin("/a", "/"));
  assert.ok(!isWithin("/a", "/a/b") && !isWithin("/ab", "/a"));
});
