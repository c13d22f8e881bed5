import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Plan } from "../../src/runtime/plan/plan.ts";
import { canRun, Fixture } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

test("host steps run and answer with what they read", { skip }, async () => {
  const dir = join(fixture.root, "run");
  mkdirSync(dir);
  writeFileSync(join(dir, "file"), "");
  const plan = new Plan()
    .add("host", "write_file", [null, join(dir, "file"), "written"], "")
    .add("host", "read_file", [null, join(dir, "file"), 100], "")
    .add("host", "read_file", [null, join(dir, "file"), 3], "");
  const outputs = await fixture.runtime.run(plan);
  assert.deepEqual(outputs.map(String), ["written", "wri"]);
});

test("a failing step is named", { skip }, async () => {
  const plan = new Plan().add("host", "read_file", [null, "/no/such", 1], "a file");
  await assert.rejects(fixture.runtime.run(plan), {
    errno: "ENOENT",
    message: 'read_file(AT_FDCWD, "/no/such", 1): no such file or directory (a file)',
  });
});
