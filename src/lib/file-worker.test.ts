import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { FileWorkError, FileWorker } from "./file-worker.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";
const base = mkdtempSync(join(tmpdir(), "berth-worker-"));
const worker = new FileWorker(join(base, "socket"));
after(async () => {
  await worker.close();
  rmSync(base, { recursive: true });
});

const tree = join(base, "tree");
mkdirSync(join(tree, "é"), { recursive: true });
writeFileSync(join(tree, "é/file"), "12345");
linkSync(join(tree, "é/file"), join(tree, "hard"));

test("sizes count an inode once", async () => {
  assert.equal(await worker.size(tree), 5);
});

test("reports have names as they are", { skip }, async () => {
  const [line] = await worker.run(["directory", tree, "stat", "/é", "é"]);
  assert.equal(line?.name, "é");
});

test("a refusal has the errno", { skip }, async () => {
  await assert.rejects(
    worker.run(["directory", tree, "stat", "/missing", "x"]),
    (error) => error instanceof FileWorkError && error.code === "ENOENT",
  );
  await assert.rejects(worker.run(["nonsense"]), /too few arguments|unknown work/);
});

test("an archive goes through, there and back, many at a time", { skip }, async () => {
  const big = Buffer.alloc(3_000_000, "abcdefg");
  writeFileSync(join(tree, "big"), big);
  const copies = Array.from({ length: 8 }, async (_, index) => {
    const copy = join(base, `copy${index}`);
    mkdirSync(copy);
    const from = await worker.start(["directory", tree, "pack", "/.", "."]);
    const to = await worker.start(["directory", copy, "put", "/", "", "0", "0"]);
    from.archive.pipe(to.stdin);
    await Array.fromAsync(to.lines);
    assert.deepEqual(readFileSync(join(copy, "big")), big);
  });
  await Promise.all(copies);
});

test("an archive nobody reads ends with its reader", { skip }, async () => {
  const job = await worker.start(["directory", tree, "pack", "/.", "."]);
  job.archive.destroy();
  await assert.rejects(Array.fromAsync(job.lines).then((lines) => assert.ok(lines.length > 1)));
});

test("when it was killed the next piece of work starts another", { skip }, async () => {
  assert.equal(await worker.size(tree), 3_000_005);
  await worker.close();
  assert.equal(await worker.size(tree), 3_000_005);
  const job = await worker.start(["directory", tree, "pack", "/.", "."]);
  await worker.close();
  // What was under way goes on or fails, but ends.
  await buffer(job.archive).catch(() => undefined);
});
