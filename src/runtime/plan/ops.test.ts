import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { nativeFile } from "../../lib/own-file.ts";
import { operations } from "./ops.ts";

test("the launcher has the same operations", () => {
  const printed = execFileSync(nativeFile("berth-launcher"), ["--ops"], { encoding: "utf8" })
    .split("\n")
    .slice(0, -1);
  assert.deepEqual(
    printed,
    Object.entries(operations).map(([name, signature]) => `${name} ${signature}`),
  );
});
