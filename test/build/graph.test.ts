import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { ContextDirectory } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-graph");
});
after(() => daemon.end());

async function build(context: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await daemon.berth(["build", "--progress", "plain", ...args, context]);
  assert.equal(code, 0, stderr);
  return stderr;
}

/** The texts of the steps that were done, not found. */
function doneSteps(said: string): string[] {
  return [...said.matchAll(/^#(\d+) done/gm)].flatMap(([, number]) => {
    const text = new RegExp(`^#${number} \\[.*?\\] (.*)$`, "m").exec(said)?.[1] ?? "";
    return /^FROM/.test(text) ? [] : [text];
  });
}

test("stages that do not need each other run at the same time: two that wait for each other end", async () => {
  const meet = (own: string, other: string): string =>
    `RUN --mount=type=cache,id=meeting,target=/m touch /m/${own}; until [ -e /m/${other} ]; do sleep 0.05; done; echo ${own} > /${own}`;
  using context = new ContextDirectory({
    Dockerfile: `FROM busybox AS a\n${meet("a", "b")}\nFROM busybox AS b\n${meet("b", "a")}\nFROM busybox\nCOPY --from=a /a /\nCOPY --from=b /b /\n`,
  });
  await build(context.path, "-t", "met");
  assert.equal(await daemon.ok(["run", "--rm", "met", "cat", "/a", "/b"]), "a\nb");
});

test("a step that two builds want at the same time is done once", async () => {
  using one = new ContextDirectory({
    Dockerfile: "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /uuid; sleep 1\n",
  });
  await Promise.all(["x", "y"].map((name) => build(one.path, "-t", name)));
  const uuids = await Promise.all(["x", "y"].map((name) => daemon.ok(["run", "--rm", name, "cat", "/uuid"])));
  assert.equal(uuids[0], uuids[1]);
});

test("stages that the target does not need are not built", async () => {
  using context = new ContextDirectory({
    Dockerfile:
      "FROM busybox AS broken\nRUN exit 1\nFROM nowhere.invalid/none AS unknown\nFROM busybox AS good\nRUN echo good > /good\nFROM good\nRUN exit 1\n",
  });
  await build(context.path, "--target", "good");
});

test("what decides a step's key: contents and not times, arguments where they are declared", async () => {
  const Dockerfile = `FROM busybox AS base
ARG EARLY
RUN echo first
ARG LATE=none
RUN echo second
FROM base
COPY a /a
RUN echo third
`;
  using context = new ContextDirectory({ Dockerfile, a: "1" });
  await build(context.path);
  assert.deepEqual(doneSteps(await build(context.path)), []);
  context.write({ a: "1" });
  assert.deepEqual(doneSteps(await build(context.path)), [], "another time of a file is no other file");
  context.write({ a: "2", b: "not copied" });
  assert.deepEqual(doneSteps(await build(context.path)), ["COPY a /a", "RUN echo third"]);
  const late = ["--build-arg", "LATE=1"];
  assert.deepEqual(doneSteps(await build(context.path, ...late))[0], "RUN echo second");
  // The first RUN sees EARLY, as with BuildKit; an argument that nobody declares changes nothing.
  assert.deepEqual(
    doneSteps(await build(context.path, "--build-arg", "EARLY=1", ...late))[0],
    "RUN echo first",
  );
  assert.deepEqual(doneSteps(await build(context.path, "--build-arg", "OTHER=1")), []);
  assert.deepEqual(doneSteps(await build(context.path, "--build-arg", "HTTP_PROXY=http://127.0.0.1:1")), []);
});

test("the cache survives a restart", async () => {
  using context = new ContextDirectory({
    Dockerfile: "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /uuid\nCOPY . /c\nCMD x\n",
  });
  await build(context.path, "-t", "kept");
  const id = await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "kept"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.deepEqual(doneSteps(await build(context.path, "-t", "kept")), []);
  assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "kept"]), id);
});
