import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { ContextDirectory } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-local");
});
after(() => daemon.end());

async function build(context: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await daemon.berth(["build", "--progress", "plain", ...args, context]);
  assert.equal(code, 0, stderr);
  return stderr;
}

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

const Dockerfile = "FROM busybox\nCOPY . /c\n";
const many = Object.fromEntries(
  Array.from({ length: 300 }, (_, index) => [`d/${index % 7}/${index}`, `${index}`]),
);

test("only what changed is read again, also by the next daemon", async () => {
  using context = new ContextDirectory({ Dockerfile, ...many });
  assert.match(await build(context.path), /context: \d+ files, 301 read/);
  const again = await build(context.path);
  assert.match(again, /context: \d+ files, 0 read/);
  assert.match(again, /#2 cached/);
  // The same content at another time is read, and changes nothing.
  context.write({ "d/1/1": "1" });
  const same = await build(context.path);
  assert.match(same, /, 1 read/);
  assert.match(same, /#2 cached/);
  await daemon.down();
  await daemon.up();
  context.write({ "d/1/1": "other" });
  const changed = await build(context.path, "-t", "changed");
  assert.match(changed, /, 1 read/);
  assert.doesNotMatch(changed, /cached/);
  assert.equal(
    await inImage("changed", "cat /c/d/1/1; find /c/d -type f | wc -l"),
    "other\n300".replace("\n", ""),
  );
  // Neither the size nor the modification time tells of this one.
  context.write({ "d/1/1": "OTHER" });
  utimesSync(join(context.path, "d/1/1"), 1000, 1000);
  await build(context.path);
  context.write({ "d/1/1": "oTHER" });
  utimesSync(join(context.path, "d/1/1"), 1000, 1000);
  assert.match(await build(context.path, "-t", "changed"), /, 1 read/);
  assert.equal(await inImage("changed", "cat /c/d/1/1"), "oTHER");
});

test("what is not copied is not read, what is ignored is not even looked at", async () => {
  using context = new ContextDirectory({
    Dockerfile:
      "FROM busybox\nCOPY a /a\nRUN --mount=type=bind,target=/c find /c | sort > /seen && stat -c %u /c/a >> /seen",
    ".dockerignore": "**/node_modules\nb/c\n*.log\n",
    a: "1",
    "x/node_modules/deep/file": "",
    "b/c/d": "",
    "b/e": "",
    "y.log": "",
  });
  await run("chown", ["-R", "1000:1000", context.path]);
  const said = await build(context.path, "-t", "ignored");
  // Directories and files but the three that are ignored and what is in them.
  assert.match(said, /context: 7 files, /);
  assert.equal(
    await inImage("ignored", "cat /seen"),
    "/c /c/.dockerignore /c/Dockerfile /c/a /c/b /c/b/e /c/x 0".replaceAll(" ", "\n"),
  );
});

test("links, modes and owners are as an archive would have them", async () => {
  const files = { Dockerfile, "dir/file": "1", "dir/run": "#!" };
  using context = new ContextDirectory(files);
  symlinkSync("file", join(context.path, "dir/link"));
  symlinkSync("/etc/passwd", join(context.path, "outside"));
  await run("sh", [
    "-c",
    'cd "$0" && chmod 4711 dir/run && chmod 700 dir && chown -R 1000:1000 dir && mkfifo pipe',
    context.path,
  ]);
  await build(context.path, "-t", "local");
  const sent = await run("sh", [
    "-c",
    'tar -C "$0" -c . | "$1" -H "$2" build -q -t sent -',
    context.path,
    join(import.meta.dirname, "../../bin/berth"),
    daemon.host,
  ]);
  assert.equal(sent.code, 0, sent.stderr);
  const list =
    "cd /c && find . | sort | while read f; do stat -c '%n %F %a %u %g %s' $f; readlink $f; done; cat dir/file; true";
  assert.equal(await inImage("local", list), await inImage("sent", list));
});

test("a directory that is another one for the daemon is sent", async () => {
  using context = new ContextDirectory({ Dockerfile, own: "mine" });
  using other = new ContextDirectory({ Dockerfile, own: "other" });
  const berth = join(import.meta.dirname, "../../bin/berth");
  const { code, stderr } = await run("unshare", [
    ...[
      "--mount",
      "sh",
      "-c",
      'mount --bind "$0" "$1" && exec "$2" -H "$3" build --progress plain -t sent "$1"',
    ],
    ...[other.path, context.path, berth, daemon.host],
  ]);
  assert.equal(code, 0, stderr);
  assert.equal(await inImage("sent", "cat /c/own"), "other");
  assert.doesNotMatch(stderr, /context:/);
  // Something mounted below is seen here, and perhaps not there.
  mkdirSync(join(context.path, "below"));
  const below = await run("unshare", [
    ...[
      "--mount",
      "sh",
      "-c",
      'mount --bind "$0" "$1/below" && exec "$2" -H "$3" build --progress plain -t sent "$1"',
    ],
    ...[other.path, context.path, berth, daemon.host],
  ]);
  assert.equal(below.code, 0, below.stderr);
  assert.equal(await inImage("sent", "cat /c/below/own"), "other");
});

test("a directory that changes while it is built from is sent: the cache never has what was not there", async () => {
  using context = new ContextDirectory({
    Dockerfile:
      "FROM busybox\nCOPY a /a\nRUN --mount=type=cache,id=meet,target=/m touch /m/begun; while [ ! -e /m/go ]; do sleep 0.02; done\nCOPY b /b\n",
    a: "a",
    b: "1",
  });
  const building = daemon.berth(["build", "--no-cache", context.path]);
  const go = async (command: string): Promise<string> => {
    const { code, stderr } = await daemon.berth(["build", "--no-cache", "-"], {
      input: `FROM busybox\nRUN --mount=type=cache,id=meet,target=/m ${command}`,
    });
    assert.equal(code, 0, stderr);
    return stderr;
  };
  await go("while [ ! -e /m/begun ]; do sleep 0.02; done");
  writeFileSync(join(context.path, "b"), "2");
  await go("touch /m/go");
  const { code, stderr } = await building;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /was changed while it was built from: it is sent instead/);
  await build(context.path, "-t", "after");
  assert.equal(await inImage("after", "cat /b"), "2");
  assert.match(await build(context.path), /#4 cached/);
});

test("what is said may go into the directory itself", async () => {
  using context = new ContextDirectory({ Dockerfile: "FROM busybox\nRUN echo said\nCOPY . /c\n" });
  const berth = join(import.meta.dirname, "../../bin/berth");
  const { code } = await run("sh", [
    ...["-c", '"$0" -H "$1" build --no-cache --progress plain "$2" > "$2/log" 2>&1'],
    ...[berth, daemon.host, context.path],
  ]);
  assert.equal(code, 0, readFileSync(join(context.path, "log"), "utf8"));
});
