import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { launcherProgram } from "../launcher/launcher.ts";
import { operations } from "./ops.ts";

test("the launcher has the same operations", { skip: !existsSync(launcherProgram) }, () => {
  const printed = execFileSync(launcherProgram, ["--ops"], { encoding: "utf8" }).trimEnd().split("\n");
  assert.deepEqual(
    printed,
    Object.entries(operations).map(([name, signature]) => `${name} ${signature}`),
  );
});
