import assert from "node:assert/strict";
import { test } from "node:test";
import { archivePath } from "./archive-path.ts";

test("paths of the archive API", () => {
  const cases: [string, string, string][] = [
    ["/", "/", "/"],
    ["/.", "/.", "."],
    [".", "/.", "."],
    ["..", "/", "/"],
    ["data", "/data", "data"],
    ["data/", "/data/", "data"],
    ["data/.", "/data/.", "."],
    ["/data//x/", "/data/x/", "x"],
    ["../../etc/passwd", "/etc/passwd", "passwd"],
    ["a/b/..", "/a", "a"],
    ["a/.hidden", "/a/.hidden", ".hidden"],
  ];
  for (const [path, absolute, name] of cases) assert.deepEqual(archivePath(path), { absolute, name }, path);
});
