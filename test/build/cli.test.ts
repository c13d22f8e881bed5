import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-cli");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

test("steps are shown line by line, and on a terminal in place", async () => {
  using context = new ContextDirectory({ Dockerfile: "FROM busybox AS first\nRUN echo said\n" });
  const plain = await daemon.berth(["build", "-t", "shown", context.path]);
  assert.equal(plain.code, 0, plain.stderr);
  assert.match(
    plain.stderr,
    /^#2 \[first 2\/2\] RUN echo said\n#2 \| said\n#2 done [0-9.]+s\nbuilt [0-9a-f]{12} shown:latest\n$/m,
  );
  const again = await daemon.berth(["build", context.path]);
  assert.match(again.stderr, /^#2 cached$/m);
  const live = await daemon.berth(["build", "--progress", "tty", "--no-cache", context.path], {
    env: { NO_COLOR: "1" },
  });
  assert.match(live.stderr, /● first +RUN echo said/);
  assert.match(live.stderr, /✔ first +RUN echo said +[0-9.]+s\n/);
  assert.match(live.stderr, /built [0-9a-f]{12} in [0-9.]+s, 2 of 2 steps\n$/);
  const raw = await daemon.berth(["build", "--progress", "rawjson", context.path]);
  const kinds = raw.stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).kind);
  assert.deepEqual(kinds, ["plan", "begin", "end", "begin", "end", "image"]);
  const quiet = await daemon.berth(["build", "--progress", "quiet", context.path]);
  assert.deepEqual([quiet.stderr, /^sha256:[0-9a-f]{64}\n$/.test(quiet.stdout)], ["", true]);
  const wrong = await daemon.berth(["build", "--progress", "loud", context.path]);
  assert.match(wrong.stderr, /invalid progress "loud": one of auto, plain, tty, rawjson, quiet/);
});

test("of stages that end together only the one to blame is marked", async () => {
  const input = `FROM busybox AS slow
RUN sleep 100
FROM busybox AS bad
RUN <<EOF
echo why
exit 5
EOF
FROM busybox
COPY --from=slow / /x
COPY --from=bad / /y
`;
  const { code, stderr } = await daemon.berth(["build", "--progress", "tty", "-"], {
    input,
    env: { NO_COLOR: "1" },
  });
  assert.equal(code, 5);
  const last = stderr.slice(stderr.lastIndexOf("\x1b[J"));
  assert.match(last, /– slow +RUN sleep 100 +ended\n/);
  assert.match(last, /✘ bad +RUN <<EOF.* [0-9.]+s\n {4}│ why\n/);
});

test("arguments, labels, secrets, a Dockerfile elsewhere, and where the id goes", async () => {
  using context = new ContextDirectory({ "a/kept": "1", "a/left-out": "1", ".dockerignore": "a/left-out\n" });
  using elsewhere = new ContextDirectory({
    "other.Dockerfile": `FROM busybox
ARG A
ARG FROM_HERE
COPY . /c
RUN --mount=type=secret,id=s --mount=type=secret,id=v,env=V echo "$A $FROM_HERE $(cat /run/secrets/s) $V" > /said
`,
    secret: "from-file",
  });
  const id = join(elsewhere.path, "id");
  const { code, stdout, stderr } = await daemon.berth(
    [
      ...["build", "-q", "-t", "options", "-f", join(elsewhere.path, "other.Dockerfile"), "--iidfile", id],
      ...["--build-arg", "A=a b", "--build-arg", "FROM_HERE", "--label", "l=m"],
      ...[
        "--secret",
        `id=s,src=${join(elsewhere.path, "secret")}`,
        "--secret",
        "id=v,env=SECRET",
        context.path,
      ],
    ],
    { env: { FROM_HERE: "here", SECRET: "from-env" } },
  );
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(id, "utf8"), stdout.trim());
  assert.equal(
    await inImage("options", "cat /said; find /c -type f"),
    "a b here from-file from-env\n/c/.dockerignore\n/c/a/kept",
  );
  assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Config.Labels.l}}", "options"]), "m");
});

test("a Dockerfile or an archive on standard input", async () => {
  const alone = await daemon.berth(["build", "-q", "-t", "stdin", "-"], {
    input: "FROM busybox\nRUN echo 1 > /1",
  });
  assert.equal(alone.code, 0, alone.stderr);
  const archive = tarOf([
    { name: "Dockerfile", data: "FROM stdin\nCOPY x /x" },
    { name: "x", data: "2" },
  ]);
  const whole = await daemon.berth(["build", "-q", "-t", "stdin", "-"], { input: archive });
  assert.equal(whole.code, 0, whole.stderr);
  assert.equal(await inImage("stdin", "cat /1 /x"), "1\n2");
});

test("a failure ends with the step's exit code", async () => {
  const failed = await daemon.berth(["build", "-"], { input: "FROM busybox\nRUN echo why; exit 7" });
  assert.equal(failed.code, 7);
  assert.match(failed.stderr, /#2 \| why\n[\s\S]*returned a non-zero code: 7/);
  const wrong = await daemon.berth(["build", "-"], { input: "FROM busybox\nRUM x" });
  assert.match(
    wrong.stderr,
    /dockerfile parse error on line 2: unknown instruction: RUM \(did you mean RUN\?\)/,
  );
  assert.notEqual(wrong.code, 0);
  const missing = await daemon.berth(["build", "/nowhere/at/all"]);
  assert.match(missing.stderr, /path "\/nowhere\/at\/all" not found/);
});

test("builder prune", async () => {
  const pruned = await daemon.berth(["builder", "prune", "-f", "-a"]);
  assert.equal(pruned.code, 0, pruned.stderr);
  assert.match(pruned.stdout, /Total reclaimed space: /);
});
