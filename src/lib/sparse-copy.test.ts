import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sparseCopy } from "./sparse-copy.ts";

test("a copy has the same bytes, and holes where there are only zeros", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "berth-sparse-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const data = Buffer.alloc(5 * (1 << 20) + 100);
  for (const [at, text] of [
    [4096, "begin of a page"],
    [3 * 4096 - 1, "x"],
    [(1 << 20) - 2, "over a border"],
    [data.length - 3, "end"],
  ] as const)
    data.write(text, at, "latin1");
  const [from, to] = [join(directory, "from"), join(directory, "to")];
  writeFileSync(from, data);
  await sparseCopy(from, to, 0o600);
  assert.ok(readFileSync(to).equals(data));
  assert.equal(statSync(to).mode & 0o777, 0o600);
  assert.ok(statSync(to).blocks * 512 < 1 << 20, `${statSync(to).blocks} blocks`);
});
