import assert from "node:assert/strict";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { type TarEntryInit, tarEnd, tarHeader } from "../../lib/tar/write.ts";
import { packTree } from "./pack.ts";
import { planCopy, renameMember, splitCopyArgument, splitPath } from "./paths.ts";
import { unpackTree } from "./unpack.ts";

const base = mkdtempSync(join(tmpdir(), "berth-copy-test-"));
after(() => rmSync(base, { recursive: true }));
let folder = base;
let count = 0;
beforeEach(() => {
  folder = join(base, String(count++));
  mkdirSync(join(folder, "in"), { recursive: true });
});

async function* archive(...entries: TarEntryInit[]) {
  for (const entry of entries) yield tarHeader(entry);
  yield tarEnd;
}

const unpack = (...entries: TarEntryInit[]) =>
  unpackTree(archive(...entries), { directory: join(folder, "in") });

test("arguments name a container before a colon, unless they look like a path", () => {
  assert.deepEqual(splitCopyArgument("web:/etc"), { container: "web", path: "/etc" });
  assert.deepEqual(splitCopyArgument("./a:b"), { container: "", path: "./a:b" });
  assert.deepEqual(splitCopyArgument("/a:b"), { container: "", path: "/a:b" });
  assert.deepEqual(splitCopyArgument("file"), { container: "", path: "file" });
});

test("a copy goes into a directory, over a file, or to a new name", () => {
  const file = { path: "/src/f", exists: true, isDirectory: false };
  const directory = { path: "/src/d", exists: true, isDirectory: true };
  const to = (path: string, exists: boolean, isDirectory: boolean) => ({ path, exists, isDirectory });
  assert.deepEqual(planCopy(directory, to("/x", true, true)), { directory: "/x" });
  assert.deepEqual(planCopy(file, to("/x/g", true, false)), {
    directory: "/x",
    rename: { from: "f", to: "g" },
  });
  assert.deepEqual(planCopy(directory, to("/x/new", false, false)), {
    directory: "/x",
    rename: { from: "d", to: "new" },
  });
  assert.throws(() => planCopy(directory, to("/x/f", true, false)), /cannot copy directory/);
  assert.throws(() => planCopy(file, to("/x/new/", false, false)), /no such directory/);
  assert.deepEqual(splitPath("/a/b/."), { directory: "/a/b", base: "." });
  assert.equal(renameMember("d/x", { from: "d", to: "new" }), "new/x");
  assert.equal(renameMember("./x", { from: ".", to: "new" }), "new/x");
  assert.equal(renameMember("dx", { from: "d", to: "new" }), "dx");
});

test("a tree packed and unpacked is the same tree", async () => {
  const source = join(folder, "tree");
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "sub", "file"), "content", { mode: 0o640 });
  linkSync(join(source, "sub", "file"), join(source, "twin"));
  symlinkSync("sub/file", join(source, "link"));
  await unpackTree(packTree(source, "tree"), {
    directory: join(folder, "in"),
    rename: { from: "tree", to: "copy" },
  });
  const copy = join(folder, "in", "copy");
  assert.equal(readFileSync(join(copy, "sub", "file"), "utf8"), "content");
  assert.equal(lstatSync(join(copy, "sub", "file")).mode & 0o777, 0o640);
  assert.equal(lstatSync(join(copy, "twin")).ino, lstatSync(join(copy, "sub", "file")).ino);
  assert.equal(lstatSync(join(copy, "link")).isSymbolicLink(), true);
});

test("an archive does not get out of its directory", async () => {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "secret");
  await assert.rejects(unpack({ name: "../outside/x" }), /invalid path in archive/);
  await assert.rejects(unpack({ name: "a/../../outside/x" }), /invalid path in archive/);
  await unpack({ name: "/etc/absolute" });
  assert.equal(existsSync(join(folder, "in", "etc", "absolute")), true);
  await assert.rejects(
    unpack({ name: "link", type: "symlink", linkname: outside }, { name: "link/x" }),
    /not a directory/,
  );
  await assert.rejects(
    unpack({ name: "hard", type: "link", linkname: "../outside/secret" }),
    /invalid path in archive/,
  );
  // A link that stands where a file is to be is replaced, not followed.
  await unpack({ name: "secret", type: "symlink", linkname: join(outside, "secret") }, { name: "secret" });
  assert.equal(readFileSync(join(outside, "secret"), "utf8"), "secret");
  assert.deepEqual(existsSync(join(outside, "x")), false);
});

test("a directory that became a link within the archive is not trusted again", async () => {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  await assert.rejects(
    unpack(
      { name: "d", type: "directory" },
      { name: "d/one" },
      { name: "d", type: "symlink", linkname: outside },
      { name: "d/two" },
    ),
  );
  assert.equal(existsSync(join(outside, "two")), false);
});
