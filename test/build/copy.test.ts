import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  linkSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, TestDaemon } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory, dockerBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-copy");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

test("owners, modes, globs, links, ignored files, documents", async () => {
  await mustBuild(
    daemon,
    {
      Dockerfile: `FROM busybox
RUN ln -s /real /link && mkdir /real
COPY --chown=nobody:users --chmod=640 a.txt /owned
COPY --chown=12:34 tree /owned-tree
COPY --chown=12:34 tree /parent/owned
COPY --chmod=u=rwX,go=rX a.txt tree /modes/
COPY --chmod=g=u,o=g-r,+X tree /symbolic/
COPY *.txt /globs/
COPY a.txt /link/
COPY a.txt /link/renamed
COPY a.txt /deep/er/and/deeper
COPY . /everything
COPY --exclude=*.md --exclude=sub/in2 tree /excluding/
COPY --parents tree/sub/in /parents/
COPY --link a.txt /alone/
COPY <<one.sh <<'two' /documents/
echo $PATH
one.sh
$PATH
two
`,
      ".dockerignore": "# not these\nsecret*\n**/*.log\n!keep.log\n",
      "a.txt": "a\n",
      "b.txt": "b\n",
      "secret.txt": "s",
      "x/y.log": "l",
      "keep.log": "k",
      "tree/sub/in": "in\n",
      "tree/sub/in2": "in2\n",
      "tree/read.md": "md",
      "tree/read.txt": "txt",
    },
    ["-t", "copies"],
  );
  const see = (command: string): Promise<string> => inImage("copies", command);
  const owners = await see("stat -c '%u:%g %a' /owned /owned-tree /owned-tree/sub/in");
  assert.equal(owners, "65534:100 640\n12:34 755\n12:34 644");
  assert.equal(await see("stat -c %u:%g /parent /parent/owned"), "0:0\n12:34");
  const modes = await see("stat -c %a /modes /modes/a.txt /modes/sub /modes/sub/in");
  assert.equal(modes, "755\n644\n755\n644");
  const symbolic = await see("stat -c %a /symbolic /symbolic/sub /symbolic/sub/in");
  // As ever, a directory that is made for the contents of another keeps its own.
  assert.equal(symbolic, "755\n773\n662");
  assert.equal(await see("ls /globs"), "a.txt\nb.txt");
  assert.equal(await see("cat /real/a.txt /real/renamed"), "a\na");
  assert.equal(await see("cat /deep/er/and/deeper"), "a");
  const everything = await see("cd /everything; find . -type f | sort | tr '\\n' ' '");
  assert.equal(
    everything,
    "./.dockerignore ./Dockerfile ./a.txt ./b.txt ./keep.log ./tree/read.md ./tree/read.txt ./tree/sub/in ./tree/sub/in2",
  );
  assert.equal(await see("cd /excluding; find . -type f | sort"), "./read.txt\n./sub/in");
  assert.equal(await see("cat /parents/tree/sub/in /alone/a.txt"), "in\na");
  const documents = await see("cat /documents/one.sh /documents/two");
  assert.equal(documents, "echo /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n$PATH");
});

test("which names are the same file decides a copy", async () => {
  using context = new ContextDirectory({
    Dockerfile: "FROM busybox\nCOPY d /d\nRUN --mount=source=d,target=/m stat -c %h /d/a /m/a > /names\n",
    "d/a": "same",
  });
  const other = join(context.path, "d/b");
  for (const build of [
    () => dockerBuild(daemon, context.path, ["-t", "names"]),
    () => daemon.berth(["build", "-t", "names", context.path]),
  ]) {
    linkSync(join(context.path, "d/a"), other);
    assert.equal((await build()).code, 0);
    assert.equal(await inImage("names", "cat /names; stat -c %h /d/b"), "2\n2\n2");
    rmSync(other);
    context.write({ "d/b": "same" });
    assert.equal((await build()).code, 0);
    assert.equal(await inImage("names", "cat /names; stat -c %h /d/b"), "1\n1\n1");
    rmSync(other);
  }
});

test("names that are no UTF-8, and other odd ones", async () => {
  using context = new ContextDirectory({
    Dockerfile:
      "FROM busybox\nCOPY d /d\nCOPY --exclude=*.md d /e\nRUN cd / && find d e | LC_ALL=C sort | md5sum > /names\n",
    "d/new\nline": "n",
    "d/*[star]": "s",
    "d/ blank ": "b",
    'd/"quote"': "q",
    "d/ü€𝄞": "u",
    [`d/${"n".repeat(255)}`]: "l",
  });
  const at = (name: string): Buffer => Buffer.from(`${context.path}/d/${name}`, "latin1");
  writeFileSync(at("a\xff"), "bytes");
  writeFileSync(at("a\xff.md"), "left out");
  symlinkSync(Buffer.from([0xfe]), at("link"));
  const builds: [string, () => Promise<Result>][] = [
    ["docker", () => dockerBuild(daemon, context.path, ["-t", "odd-names"])],
    ["berth", () => daemon.berth(["build", "-t", "odd-names", context.path])],
    // It is sent: something is mounted below for all that the client knows.
    [
      "sent",
      () => daemon.berth(["build", "-t", "odd-names", "--build-context", `x=${context.path}`, context.path]),
    ],
  ];
  const expected = execFileSync(
    "sh",
    ["-c", "(find d; find d ! -name '*.md' | sed 's/^d/e/') | LC_ALL=C sort | md5sum"],
    { cwd: context.path, encoding: "utf8" },
  );
  for (const [name, build] of builds) {
    const { code, stderr } = await build();
    assert.equal(code, 0, `${name}: ${stderr}`);
    assert.equal(await inImage("odd-names", "cat /names"), expected.trim(), name);
  }
  // Another name of the kind is another file.
  renameSync(at("a\xff"), at("a\xfe"));
  for (const [name, build] of builds.slice(0, 2)) {
    const { stdout, stderr } = await build();
    assert.doesNotMatch(stdout + stderr, /cached|Using cache/, name);
    renameSync(at(name === "docker" ? "a\xfe" : "a\xfd"), at(name === "docker" ? "a\xfd" : "a\xfc"));
  }
  using out = new ContextDirectory();
  const written = await daemon.berth(["build", "-o", out.path, context.path]);
  assert.equal(written.code, 0, written.stderr);
  assert.equal(readFileSync(Buffer.from(`${out.path}/d/a\xfc`, "latin1"), "utf8"), "bytes");
  assert.equal(readlinkSync(`${out.path}/d/link`, "buffer")[0], 0xfe);
});

test("ADD unpacks archives, COPY does not", async () => {
  const archive = tarOf([
    { name: "in/", type: "directory" },
    { name: "in/file", data: "in\n", uid: 5, gid: 6, mode: 0o600 },
  ]);
  const Dockerfile = "FROM busybox\nADD x.tar plain /added/\nCOPY x.tar /copied/\n";
  await mustBuild(daemon, { Dockerfile, "x.tar": archive, plain: "p\n" }, ["-t", "archives"]);
  const added = await inImage("archives", "cd /added; find . -type f | sort; stat -c '%u:%g %a' in/file");
  assert.equal(added, "./in/file\n./plain\n5:6 600");
  assert.equal(await inImage("archives", "ls /copied"), "x.tar");
});

test("a context of many files that is sent", async () => {
  const names = Array.from({ length: 20_000 }, (_, index) => `tree/${index % 200}/${index}.js`);
  const Dockerfile = "FROM busybox\nCOPY tree /tree\n";
  const files = Object.fromEntries(names.map((name): [string, string] => [name, `${name}\n`]));
  await mustBuild(daemon, { ...files, Dockerfile }, ["-t", "many"]);
  assert.equal(await inImage("many", "find /tree -type f | wc -l; cat /tree/7/7.js"), "20000\ntree/7/7.js");
});
