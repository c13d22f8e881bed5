// What goes wrong and who means harm: the disk, secrets, caches that are shared, contexts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon, until } from "../support/daemon.ts";
import { escapes } from "../support/hostile.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild, post } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-hostile");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const halfMade = (of: TestDaemon): string[] => readdirSync(join(of.dataRoot, "tmp"));

const nothingLeft = async (of = daemon): Promise<void> => {
  await until("no container is left", async () => (await of.ok(["ps", "-aq"])) === "");
  await until("nothing half-made is left", () => halfMade(of).length === 0);
};

test("a disk that is full: an error, and all is well when there is space again", async () => {
  const small = new TestDaemon("build-full");
  mkdirSync(small.dataRoot);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=110m", "tmpfs", small.dataRoot]);
  try {
    await small.up();
    const busybox = join(small.directory, "busybox.tar");
    await daemon.ok(["save", "-o", busybox, "busybox"]);
    await small.ok(["load", "-i", busybox]);
    const images = await small.ok(["images", "-aq"]);
    using context = new ContextDirectory({
      Dockerfile: "FROM busybox\nCOPY . /all\nCOPY . /again\nCOPY . /more\n",
      large: Buffer.alloc(40 << 20, 1),
    });
    const cases: [string, () => Promise<{ code: number | null; stderr: string }>][] = [
      [
        "a step",
        () => failedBuild(small, { Dockerfile: "FROM busybox\nRUN dd if=/dev/zero of=/x bs=1M count=200" }),
      ],
      ["a copy", () => dockerBuild(small, context.path)],
      [
        "a context",
        () => failedBuild(small, { Dockerfile: "FROM busybox", large: Buffer.alloc(150 << 20, 1) }),
      ],
      ["berth's copy", () => small.berth(["build", "--no-cache", context.path])],
    ];
    for (const [name, build] of cases) {
      const { code, stderr } = await build();
      assert.notEqual(code, 0, name);
      assert.match(stderr, /no space left|No space left|ENOSPC|returned a non-zero code/, name);
      await nothingLeft(small);
      assert.equal(await small.ok(["images", "-aq"]), images, name);
      await small.ok(["builder", "prune", "-af"]);
    }
    await mustBuild(small, { Dockerfile: "FROM busybox\nRUN echo sound > /x\nCOPY a /a\n", a: "a" }, [
      "-t",
      "sound",
    ]);
    assert.equal(await small.ok(["run", "--rm", "sound", "cat", "/x", "/a"]), "sound\na");
  } finally {
    await small.down();
    execFileSync("umount", ["-R", small.dataRoot]);
    await small.end();
  }
});

test("a secret is in no layer, key, history, event, log or file, whatever becomes of the build", async () => {
  const secret = "correct-horse-battery-staple-7";
  using context = new ContextDirectory({
    Dockerfile: `FROM busybox
RUN --mount=type=secret,id=s,required=true test "$(wc -c < /run/secrets/s)" = ${secret.length}
RUN --mount=type=secret,id=s,env=S,target=/etc/deep/secret,mode=0444,uid=65534 test -n "$S" && test -s /etc/deep/secret
RUN --mount=type=secret,id=s false
`,
  });
  const events = daemon.docker(["events", "--since", "0s", "--until", "6s"], { timeout: 30_000 });
  const args = ["build", "-t", "secret", "--secret", `id=s,env=GIVEN`, context.path];
  const failed = await daemon.berth(args, { env: { GIVEN: secret } });
  assert.notEqual(failed.code, 0);
  context.write({
    Dockerfile: readFileSync(join(context.path, "Dockerfile"), "utf8").replace("s false", "s true"),
  });
  const built = await daemon.berth(args, { env: { GIVEN: secret } });
  assert.equal(built.code, 0, built.stderr);
  // It is no part of a key: another value finds the same steps.
  const other = await daemon.berth(args, { env: { GIVEN: secret.toUpperCase() } });
  assert.equal(other.stderr.match(/cached/g)?.length, 3, other.stderr);
  const archive = join(daemon.directory, "secret.tar");
  await daemon.ok(["save", "-o", archive, "secret"]);
  const told = [
    ...[failed, built, other].flatMap(({ stdout, stderr }) => [stdout, stderr]),
    await daemon.ok(["image", "inspect", "secret"]),
    await daemon.ok(["history", "--no-trunc", "secret"]),
    (await events).stdout,
    daemon.log,
    readFileSync(archive, "latin1"),
  ];
  for (const text of told) assert.ok(!text.includes(secret));
  for (const root of [daemon.dataRoot, daemon.execRoot]) {
    // grep tells by its status whether there was something.
    const found = execFileSync("sh", ["-c", `grep -rlF -- ${secret} ${root} 2>/dev/null || true`], {
      encoding: "utf8",
    });
    assert.equal(found, "");
  }
  assert.equal(
    await daemon.ok([
      "run",
      "--rm",
      "secret",
      "sh",
      "-c",
      "ls -d /etc/deep /run/secrets 2>/dev/null | wc -l",
    ]),
    "0",
  );
});

test("builds that share a cache cannot step out of it", async () => {
  const mark = join(daemon.directory, "victim");
  mkdirSync(mark);
  writeFileSync(join(mark, "file"), "untouched");
  // One changes a place in the cache between a directory and links that lead out, the other mounts there.
  const swap = `FROM busybox
RUN --mount=type=cache,id=race,target=/c end=$(($(date +%s) + 6)); \\
  while [ $(date +%s) -lt $end ]; do \\
    rm -rf /c/in; mkdir -p /c/in; rm -rf /c/in; ln -s ../../../../../../../../../../..${mark} /c/in; \\
    rm -f /c/in; ln -s ${mark} /c/in; rm -f /c/in; ln -s /proc/1/root /c/in; rm -f /c/in; ln -s /c/in /c/in; done
`;
  const use = (round: number): string => `FROM busybox AS filled
RUN mkdir /d && echo d > /d/own
FROM busybox
RUN --mount=type=cache,id=race,target=/c --mount=type=bind,from=filled,source=/d,target=/c/in,rw \\
    --mount=type=cache,id=race-inner,target=/c/in/deeper \\
    --mount=type=tmpfs,target=/c/in/tmp echo ${round} > /c/in/file; echo ${round} > /c/in/deeper/file; cat /c/in/file; true
`;
  const racing = daemon.berth(["build", "--no-cache", "-"], { input: swap });
  let built = 0;
  for (let round = 0; round < 12; round++) {
    const { code, stderr } = await daemon.berth(["build", "--no-cache", "-"], { input: use(round) });
    if (code === 0) built++;
    // A place that is a link to itself, or goes away, may not be mounted on.
    else assert.match(stderr, /mount|no such file|not a directory|too many|ELOOP|symbolic/i);
  }
  const { code, stderr } = await racing;
  assert.equal(code, 0, stderr);
  assert.ok(built >= 0);
  assert.deepEqual(readdirSync(mark), ["file"]);
  assert.equal(readFileSync(join(mark, "file"), "utf8"), "untouched");
  await nothingLeft();
  const pruned = await daemon.ok(["builder", "prune", "-af"]);
  assert.match(pruned, /Total/);
  assert.equal(readFileSync(join(mark, "file"), "utf8"), "untouched");
});

test("sharing=locked waits, private takes another, shared is the same", async () => {
  // Not the very same step, which builds at the same time do once.
  const at = (sharing: string, run: string, build: number): string =>
    `FROM busybox\nRUN --mount=type=cache,id=${sharing},target=/c,sharing=${sharing} : ${build}; ${run}`;
  const enter = "mkdir /c/taken && sleep 1 && rmdir /c/taken";
  const both = (sharing: string, run: string) =>
    Promise.all(
      [0, 1].map((build) => daemon.berth(["build", "--no-cache", "-"], { input: at(sharing, run, build) })),
    );
  for (const sharing of ["locked", "private"]) {
    for (const { code, stderr } of await both(sharing, enter)) assert.equal(code, 0, stderr);
  }
  const meet =
    "touch /c/$(cat /proc/sys/kernel/random/uuid); for i in $(seq 100); do [ $(ls /c | wc -l) -ge 2 ] && exit 0; sleep 0.1; done; exit 1";
  for (const { code, stderr } of await both("shared", meet)) assert.equal(code, 0, stderr);
});

test("hostile archives as contexts and for ADD stay within", async () => {
  const directory = join(daemon.directory, "outside");
  mkdirSync(directory);
  writeFileSync(join(directory, "secret"), "outside");
  const untouched = (): void => {
    assert.deepEqual(readdirSync(directory), ["secret"]);
    assert.equal(readFileSync(join(directory, "secret"), "utf8"), "outside");
    assert.equal(statSync(directory).uid, 0);
  };
  for (const { name, archive } of escapes({ directory })) {
    const dockerfile = tarOf([{ name: "Dockerfile", data: "FROM busybox\nCOPY . /all\n" }]);
    await post(daemon, "/build", Buffer.concat([dockerfile.subarray(0, -1024), archive]));
    untouched();
    using context = new ContextDirectory({
      Dockerfile: "FROM busybox\nADD x.tar /\nADD x.tar /in/\n",
      "x.tar": archive,
    });
    const { stdout, stderr } = await dockerBuild(daemon, context.path);
    assert.match(stdout + stderr, /Successfully built|ADD failed|returned|Error/, name);
    untouched();
    await nothingLeft();
  }
});

test("links of the context lead nowhere else", async () => {
  using context = new ContextDirectory({
    Dockerfile:
      "FROM busybox\nCOPY link /link\nCOPY dir /dir\nCOPY dir/up/../in /in\nCOPY absolute/passwd /passwd\n",
    "dir/in": "in",
  });
  execFileSync("ln", ["-s", "../../../../../../../../etc/hostname", join(context.path, "link")]);
  execFileSync("ln", ["-s", "/etc", join(context.path, "absolute")]);
  execFileSync("ln", ["-s", "..", join(context.path, "dir/up")]);
  for (const build of [
    () => dockerBuild(daemon, context.path),
    () => daemon.berth(["build", context.path]),
  ]) {
    const { code, stderr } = await build();
    assert.notEqual(code, 0);
    assert.match(stderr, /COPY failed: .* stat (link|absolute\/passwd): file does not exist/);
  }
});

test("a client that goes away during a copy, a fetch and a cached build", async () => {
  using context = new ContextDirectory({
    Dockerfile: "FROM busybox\nCOPY . /all\nRUN sleep 30\nADD http://127.0.0.1:1/none /x\n",
    large: Buffer.alloc(30 << 20, 1),
  });
  for (const wait of [30, 120, 300, 700, 1500]) {
    const build = daemon
      .berth(["build", "--no-cache", context.path], { timeout: wait })
      .catch((error: Error) => error);
    assert.ok((await build) instanceof Error, `${wait}`);
    await nothingLeft();
  }
  await sleep(50);
  assert.equal(
    existsSync(join(daemon.execRoot, "build")) ? readdirSync(join(daemon.execRoot, "build")).length : 0,
    0,
  );
});
