import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

test("the instructions make files and a configuration", async () => {
  const output = await mustBuild(
    daemon,
    {
      Dockerfile: `# a comment
FROM busybox
LABEL a="b c" d=e
MAINTAINER me
ARG WHO=nobody
ENV GREETING="hello \${WHO}" PLAIN=x
WORKDIR /work
WORKDIR sub
COPY file.txt dir/ ./
RUN echo "$GREETING" > greeting && \\
    # not part of it
    id -u > id
RUN ["sh", "-c", "echo $0 exec > exec"]
RUN <<EOF
set -e
echo one > document
EOF
USER nobody
EXPOSE 80 53/udp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["sh"]
CMD echo hi
ONBUILD RUN echo later
`,
      "file.txt": "text\n",
      "dir/inner/deep": "deep\n",
    },
    ["-t", "all:1", "-t", "all:2", "--build-arg", "WHO=you", "--label", "more=$x"],
  );
  assert.match(output, /^Step 1\/21 : FROM busybox$/m);
  assert.match(output, /^Successfully built [0-9a-f]{12}$/m);
  assert.match(output, /^Successfully tagged all:1\nSuccessfully tagged all:2$/m);
  const [image] = JSON.parse(await daemon.ok(["image", "inspect", "all:2"]));
  assert.deepEqual(image.Config, {
    ...image.Config,
    User: "nobody",
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    Env: [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "GREETING=hello you",
      "PLAIN=x",
    ],
    Cmd: ["/bin/sh", "-ec", "echo hi"],
    Entrypoint: ["sh"],
    Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5e9 },
    Volumes: { "/data": {} },
    WorkingDir: "/work/sub",
    OnBuild: ["RUN echo later"],
    Labels: { a: "b c", d: "e", more: "$x" },
    StopSignal: "SIGINT",
    Shell: ["/bin/sh", "-ec"],
  });
  assert.equal(image.Author, "me");
  const command = "cat greeting id exec document file.txt inner/deep";
  const files = await daemon.ok(["run", "--rm", "all:1", "-c", command]);
  assert.equal(files, "hello you\n0\nsh exec\none\ntext\ndeep");
});

test("stages: only those that are needed, what they share, and copies between them", async () => {
  const Dockerfile = `FROM busybox AS base
RUN echo base > /base
FROM base AS unused
RUN false
FROM base AS left
RUN echo left > /left && chown 5:6 /left
FROM base AS right
RUN echo right > /right
FROM scratch AS both
COPY --from=left /left /base /out/
COPY --from=right /right /out/
COPY --from=busybox:latest /bin/busybox /bin/sh
FROM both
COPY --from=both /bin/sh /bin/cat
COPY --from=both /bin/sh /bin/stat
`;
  const output = await mustBuild(daemon, { Dockerfile }, ["-t", "stages"]);
  assert.doesNotMatch(output, /RUN false/);
  assert.equal(await inImage("stages", "cat /out/base /out/left /out/right"), "base\nleft\nright");
  // As with dockerd, what comes from another stage keeps its owner.
  assert.equal(await inImage("stages", "stat -c %u:%g /out/left"), "5:6");
  await mustBuild(daemon, { Dockerfile }, ["-t", "left", "--target", "left"]);
  assert.equal(await inImage("left", "ls / | grep -c right; cat /base"), "0\nbase");
  const unknown = await failedBuild(daemon, { Dockerfile }, ["--target", "no"]);
  assert.match(unknown.stderr, /target stage "no" could not be found/);
});

test("independent stages are built at the same time", async () => {
  // Each waits for what the other does: the clock is all that they share.
  const Dockerfile = `FROM busybox AS left
RUN cut -d. -f1 /proc/uptime > /begin; sleep 2; cut -d. -f1 /proc/uptime > /end
FROM busybox AS right
RUN cut -d. -f1 /proc/uptime > /begin; sleep 2; cut -d. -f1 /proc/uptime > /end
FROM busybox
COPY --from=left /begin /end /left/
COPY --from=right /begin /end /right/
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "both"]);
  const times = await inImage("both", "cat /left/begin /left/end /right/begin /right/end");
  const [leftBegin = 0, leftEnd = 0, rightBegin = 0, rightEnd = 0] = times.split("\n").map(Number);
  assert.ok(leftBegin < rightEnd && rightBegin < leftEnd, times);
});

test("the cache goes by content, survives a restart, and knows which arguments count", async () => {
  const Dockerfile = `FROM busybox
COPY a /a
RUN cat /a > /b
ARG V
RUN echo "$V" > /v
`;
  using context = new ContextDirectory({ Dockerfile, a: "1\n" });
  const cached = async (...args: string[]): Promise<number> => {
    const { code, stdout, stderr } = await dockerBuild(daemon, context.path, ["-t", "cache", ...args]);
    assert.equal(code, 0, stderr);
    return stdout.match(/Using cache/g)?.length ?? 0;
  };
  const imageId = (): Promise<string> => daemon.ok(["image", "inspect", "-f", "{{.Id}}", "cache"]);
  assert.equal(await cached("--build-arg", "V=1"), 0);
  const id = await imageId();
  // The same content, written again.
  context.write({ a: "1\n" });
  assert.equal(await cached("--build-arg", "V=1"), 4);
  assert.equal(await imageId(), id);
  assert.equal(await cached("--build-arg", "V=2"), 3);
  await daemon.down();
  await daemon.up();
  assert.equal(await cached("--build-arg", "V=2"), 4);
  context.write({ a: "2\n" });
  assert.equal(await cached("--build-arg", "V=2"), 0);
  assert.equal(await cached("--build-arg", "V=2", "--no-cache"), 0);
  assert.equal(await inImage("cache", "cat /a /b /v"), "2\n2\n2");
});

test("ONBUILD happens in the build upon the image", async () => {
  const trigger = "FROM busybox\nONBUILD COPY a /a\nONBUILD RUN cat /a > /b";
  await mustBuild(daemon, { Dockerfile: trigger }, ["-t", "trigger"]);
  await mustBuild(daemon, { Dockerfile: "FROM trigger\nRUN cat /b > /c", a: "1" }, ["-t", "triggered"]);
  assert.equal(await inImage("triggered", "cat /c"), "1");
  using context = new ContextDirectory({ Dockerfile: "# its own\nFROM trigger\nRUN true" });
  const { stdout, stderr } = await dockerBuild(daemon, context.path);
  assert.match(stdout, /^Step 1\/2 : FROM trigger\n# Executing 2 build triggers\n(?!Step)/m);
  assert.match(stderr, /COPY failed: .* stat a: file does not exist/);
  const own = await daemon.berth(["build", context.path]);
  assert.match(own.stderr, /^#1 \| ONBUILD COPY a \/a\n#1 failed\n/m);
  assert.match(
    own.stderr,
    /Dockerfile:2:1\n +2 \| FROM trigger\n.*\nwhich the image follows by: ONBUILD COPY a \/a\nCOPY failed/,
  );
});

test("what removes files in one step hides them in the image, here and elsewhere", async () => {
  const Dockerfile = `FROM busybox
RUN mkdir /d && touch /d/a /d/b
RUN rm /d/a && rm -r /var && mkdir /var && touch /var/new
RUN true
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "removed"]);
  const expected = "/d:\nb\n\n/var:\nnew";
  assert.equal(await inImage("removed", "ls /d /var"), expected);
  const archive = `${daemon.directory}/removed.tar`;
  await daemon.ok(["save", "removed", "-o", archive]);
  await daemon.ok(["rmi", "removed"]);
  await daemon.ok(["load", "-i", archive]);
  assert.equal(await inImage("removed", "ls /d /var"), expected);
});

test("failures say what is wrong and leave nothing", async () => {
  const cases: [string, RegExp][] = [
    ["RUN echo said; exit 3", /The command '\/bin\/sh -c echo said; exit 3' returned a non-zero code: 3/],
    [
      "COPY missing /x",
      /COPY failed: file not found in build context or excluded by \.dockerignore: stat missing: file does not exist/,
    ],
    ["COPY no*thing /x", /COPY failed: no source files were specified/],
    [
      "COPY ../../etc/passwd /x",
      /COPY failed: forbidden path outside the build context: \.\.\/\.\.\/etc\/passwd \(\)/,
    ],
    ["COPY --from=0 /x /x", /invalid from flag value 0: refers to current build stage/],
    [
      "COPY a b /x",
      /When using COPY with more than one source file, the destination must be a directory and end with a \//,
    ],
    ["USER ghost\nRUN true", /unable to find user ghost: no matching entries in passwd file/],
    ['RUN ["/none"]', /\/none/],
    ["ENV a=${b:?must-be}", /b: must-be/],
    ["NONSENSE", /dockerfile parse error on line 2: unknown instruction: NONSENSE/],
  ];
  const before = await daemon.ok(["images", "-aq"]);
  for (const [text, message] of cases) {
    const { stderr } = await failedBuild(daemon, { Dockerfile: `FROM busybox\n${text}`, a: "", b: "" });
    assert.match(stderr, message);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
  assert.equal(await daemon.ok(["images", "-aq"]), before);
  const failed = await failedBuild(daemon, { Dockerfile: "FROM busybox\nRUN exit 42" });
  assert.equal(failed.code, 42);
});

test("a Dockerfile from outside the context: docker appends it and leaves the archive's end out", async () => {
  using outside = new ContextDirectory({ Dockerfile: "FROM busybox\nCOPY file /copied\n" });
  await mustBuild(daemon, { file: "text\n" }, ["-t", "outside", "-f", `${outside.path}/Dockerfile`]);
  assert.equal(await inImage("outside", "cat /copied"), "text");
});
