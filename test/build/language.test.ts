import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-language");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

const config = async (image: string): Promise<Record<string, unknown>> =>
  JSON.parse(await daemon.ok(["image", "inspect", "-f", "{{json .Config}}", image]));

test("arguments: global, of a stage, of the stage below, predefined, given", async () => {
  const Dockerfile = `ARG BASE=busybox
ARG GLOBAL=global LATER=$GLOBAL-later
FROM --platform=$BUILDPLATFORM \${BASE:-none} AS below
ARG OWN=own
ARG GLOBAL
ARG LATER=overridden
ARG TARGETARCH TARGETSTAGE
RUN echo "$OWN $GLOBAL $LATER $TARGETARCH $TARGETSTAGE $UNDECLARED." > /below
FROM below AS above
RUN echo "$OWN $GLOBAL." > /above
ENV OWN=environment
RUN echo "$OWN" > /environment
`;
  await mustBuild(daemon, { Dockerfile }, [
    ...["-t", "arguments", "--target", "above", "--build-arg", "OWN=given", "--build-arg", "UNDECLARED=x"],
  ]);
  const arch = await daemon.ok(["version", "-f", "{{.Server.Arch}}"]);
  assert.equal(
    await inImage("arguments", "cat /below /above /environment"),
    `given global overridden ${arch} above .\ngiven global.\nenvironment`,
  );
  const unused = await mustBuild(daemon, { Dockerfile }, ["--build-arg", "NOBODY=x"]);
  assert.match(unused, /\[Warning\] One or more build-args \[NOBODY\] were not consumed/);
});

test("a proxy is for steps, not for the cache, the history or the image", async () => {
  const Dockerfile = `FROM busybox\nRUN test -n "$HTTP_PROXY" && test -n "$no_proxy"\n`;
  const build = (proxy: string): Promise<string> =>
    mustBuild(daemon, { Dockerfile }, [
      ...["-t", "proxy", "--build-arg", `HTTP_PROXY=${proxy}`, "--build-arg", `no_proxy=${proxy}`],
    ]);
  await build("http://user:hidden@one");
  const again = await build("http://user:hidden@two");
  assert.match(again, /Using cache/);
  assert.doesNotMatch(again, /not consumed/);
  const told = await daemon.ok(["history", "--no-trunc", "proxy"]);
  assert.doesNotMatch(told + (await daemon.ok(["image", "inspect", "proxy"])), /hidden/);
});

test("variables in every instruction that replaces them", async () => {
  const Dockerfile = `FROM busybox
ARG f=a.tar.gz d=/dir u=nobody p=80 s=INT e=
ENV one=\${f%%.*} two=\${f#*.} three=\${f/a/b} four=\${f//[a]/x} five="\${e:-x y}" six='$f' seven=\\$f
LABEL key.$u="\${f%.gz}"
WORKDIR $d/\${e:+never}sub
COPY --chown=$u --chmod=\${e:-640} $f \${f}.copy
EXPOSE $p/udp \${p}80
VOLUME \${d}/volume
USER \${u:?no user}
STOPSIGNAL SIG$s
`;
  await mustBuild(daemon, { Dockerfile, "a.tar.gz": "x" }, ["-t", "variables"]);
  const { Env, Labels, WorkingDir, ExposedPorts, Volumes, User, StopSignal } = await config("variables");
  assert.deepEqual((Env as string[]).slice(1), [
    ...["one=a", "two=tar.gz", "three=b.tar.gz", "four=a.tar.gz", "five=x y", "six=$f", "seven=$f"],
  ]);
  assert.deepEqual(
    { Labels, WorkingDir, ExposedPorts, Volumes, User, StopSignal },
    {
      Labels: { "key.nobody": "a.tar" },
      WorkingDir: "/dir/sub",
      ExposedPorts: { "80/udp": {}, "8080/tcp": {} },
      Volumes: { "/dir/volume": {} },
      User: "nobody",
      StopSignal: "SIGINT",
    },
  );
  assert.equal(await inImage("variables", "stat -c '%U %a' a.tar.gz.copy"), "nobody 640");
});

test("documents: several, with tabs, quoted, and with an interpreter of their own", async () => {
  const Dockerfile = `FROM busybox
ENV V=value
RUN <<-ONE cat > /one && cat <<'TWO' > /two
	$V
	ONE
$V
TWO
RUN <<EOF
#!/bin/awk -f
BEGIN { print "awk" > "/three" }
EOF
COPY <<-"A" <<B /documents/
	$V
	A
$V \\$V
B
RUN ls /dev/pipes 2>/dev/null | wc -l > /pipes
ONBUILD RUN <<EOF
echo later > /later
EOF
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "documents"]);
  assert.equal(
    await inImage("documents", "cat /one /two /three /documents/A /documents/B /pipes"),
    "value\n$V\nawk\n$V\nvalue $V\n0",
  );
  await mustBuild(daemon, { Dockerfile: "FROM documents" }, ["-t", "documents-later"]);
  assert.equal(await inImage("documents-later", "cat /later"), "later");
});

test("escape, SHELL, commands, HEALTHCHECK NONE", async () => {
  const Dockerfile = `# syntax=docker/dockerfile:1
# escape=\`
FROM busybox AS base
HEALTHCHECK --interval=1m30s --timeout=2s --retries=4 --start-period=1s CMD ["true"]
CMD ["a", "b"]
RUN echo one \`
  two > /said
SHELL ["/bin/sh", "-e", "-c"]
RUN false; true
ENTRYPOINT exec top
`;
  const failed = await failedBuild(daemon, { Dockerfile });
  assert.match(failed.stderr, /The command '\/bin\/sh -e -c false; true' returned a non-zero code: 1/);
  const sound = `${Dockerfile.replace("RUN false; true\n", "")}FROM base\nHEALTHCHECK NONE\n`;
  await mustBuild(daemon, { Dockerfile: sound }, ["-t", "commands"]);
  const { Healthcheck, Cmd, Entrypoint, Shell } = await config("commands");
  assert.deepEqual(
    { Healthcheck, Cmd, Entrypoint, Shell },
    {
      Healthcheck: { Test: ["NONE"] },
      Cmd: ["a", "b"],
      Entrypoint: ["/bin/sh", "-e", "-c", "exec top"],
      Shell: ["/bin/sh", "-e", "-c"],
    },
  );
});

test("COPY --parents with a pivot and any depth, --exclude, and globs", async () => {
  const files = {
    Dockerfile: `FROM busybox
COPY --parents ./app/./lib/a.js app/lib/./deep/*.js /pivot/
COPY --parents app/**/package.json /deep/
COPY --parents --exclude=**/*.md app /excluding/
COPY app/li[a-c]/a?js app/lib/[^a]*.js /globs/
`,
    "app/package.json": "0",
    "app/lib/a.js": "a",
    "app/lib/package.json": "1",
    "app/lib/deep/b.js": "b",
    "app/lib/deep/package.json": "2",
    "app/lib/deep/read.md": "m",
    "app/lib/c.js": "c",
  };
  await mustBuild(daemon, files, ["-t", "parents"]);
  const found = (directory: string): Promise<string> =>
    inImage("parents", `cd ${directory} && find . -type f | sort | tr '\\n' ' '`);
  assert.equal(await found("/pivot"), "./deep/b.js ./lib/a.js");
  assert.equal(await found("/deep"), "./app/lib/deep/package.json ./app/lib/package.json ./app/package.json");
  assert.equal(
    await found("/excluding"),
    "./app/lib/a.js ./app/lib/c.js ./app/lib/deep/b.js ./app/lib/deep/package.json ./app/lib/package.json ./app/package.json",
  );
  assert.equal(await found("/globs"), "./a.js ./c.js");
});

test("letters of several bytes, switches among the arguments, and how deep an image may be", async () => {
  const text = "äöü€𝄞".repeat(3000);
  const said = await mustBuild(daemon, { Dockerfile: "FROM busybox\nCOPY text /\nRUN cat /text", text });
  assert.ok(said.includes(text));
  const cache = (namespace: string, run: string): Promise<string> =>
    mustBuild(daemon, { Dockerfile: `FROM busybox\nRUN --mount=type=cache,target=/c ${run}` }, [
      ...["--no-cache", "--build-arg", `BUILDKIT_CACHE_MOUNT_NS=${namespace}`],
    ]);
  await cache("one", "touch /c/x");
  await cache("two", "test ! -e /c/x");
  await cache("one", "test -e /c/x");
  const steps = Array.from({ length: 497 }, (_, index) => `COPY a /${index}`);
  const deep = ["FROM busybox", ...steps];
  await mustBuild(daemon, { Dockerfile: [...deep, "CMD ls / | wc -l"].join("\n"), a: "" }, ["-t", "deep"]);
  assert.ok(Number(await daemon.ok(["run", "--rm", "deep"])) > 497);
  const failed = await failedBuild(daemon, { Dockerfile: [...deep, "RUN true > /x"].join("\n"), a: "" });
  assert.match(failed.stderr, /max depth exceeded/);
});

test("stages that come later, in a circle, or not at all", async () => {
  const later = "FROM busybox AS a\nCOPY --from=b /b /a\nFROM busybox AS b\nRUN echo b > /b";
  await mustBuild(daemon, { Dockerfile: later }, ["-t", "later", "--target", "a"]);
  assert.equal(await inImage("later", "cat /a"), "b");
  const cases: [string, RegExp][] = [
    [
      "FROM busybox AS a\nCOPY --from=b /b /a\nFROM busybox AS b\nRUN --mount=from=a,target=/a true",
      /circular dependency detected on stage: b \(b -> a -> b\)\nDockerfile:2:1\n/,
    ],
    ["FROM busybox AS a\nCOPY --from=a /b /a", /invalid from flag value a: refers to current build stage/],
    ["FROM busybox\nCOPY --from=3 /b /a", /invalid from flag value 3: there is no such stage/],
    ["FROM busybox\nRUN --mount=from=$x,target=/x true", /'from' doesn't support variable expansion/],
    ["FROM $nothing", /base name \(\$nothing\) should not be blank/],
  ];
  for (const [Dockerfile, message] of cases) {
    assert.match((await failedBuild(daemon, { Dockerfile })).stderr, message);
  }
});

test("an error names the file, the line and the column, and shows it", async () => {
  const Dockerfile = "FROM busybox\nRUN --network=none \\\n   --mounts=x true\n";
  using context = new ContextDirectory({ "sub/my.Dockerfile": Dockerfile });
  const file = `${context.path}/sub/my.Dockerfile`;
  const { code, stderr } = await dockerBuild(daemon, context.path, ["-f", file]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /dockerfile parse error on line 2: unknown flag: --mounts\nsub\/my\.Dockerfile:3:4\n +3 \| {4}--mounts=x true\n +\| {4}\^\n/,
  );
  const own = await daemon.berth(["build", "-"], { input: "FROM busybox\n\n  COPY nothing \\\n  /x\n" });
  assert.match(own.stderr, /Dockerfile:3:3\n +3 \| {3}COPY nothing \\\n +\| {3}\^\n +4 \| {3}\/x\n/);
  assert.match(own.stderr, /COPY failed: .* stat nothing: file does not exist/);
});

test("rights beyond a container's own are asked for and allowed", async () => {
  const insecure = await failedBuild(daemon, { Dockerfile: "FROM busybox\nRUN --security=insecure true" });
  assert.match(insecure.stderr, /security\.insecure is not allowed/);
  const host = await failedBuild(daemon, { Dockerfile: "FROM busybox\nRUN --network=host true" });
  assert.match(host.stderr, /network\.host is not allowed/);
  const Dockerfile = `FROM busybox
RUN grep CapEff /proc/self/status > /usual
RUN --security=insecure grep CapEff /proc/self/status > /insecure
RUN --network=host ls /sys/class/net > /host
RUN --network=none ls /sys/class/net > /none
`;
  const built = await daemon.berth(
    ["build", "-t", "allowed", "--allow", "security.insecure", "--allow", "network.host", "-"],
    { input: Dockerfile },
  );
  assert.equal(built.code, 0, built.stderr);
  const [usual, insecureCapabilities] = (await inImage("allowed", "cat /usual /insecure")).split("\n");
  assert.notEqual(usual, insecureCapabilities);
  assert.equal(await inImage("allowed", "cat /none"), "lo");
  assert.match(await inImage("allowed", "cat /host"), /\n/);
});
