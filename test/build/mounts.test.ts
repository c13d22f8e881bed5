import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-mounts");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

test("bind shows the context, stages and images, and keeps nothing", async () => {
  const Dockerfile = `FROM busybox AS made
RUN mkdir /out && echo made > /out/file
FROM busybox
RUN --mount=target=/context cat /context/a /context/sub/b > /read && ! touch /context/new
RUN --mount=type=bind,source=sub,target=/rw,rw touch /rw/new && ls /rw > /listed
RUN --mount=from=made,source=/out,target=/deep/er/made cat /deep/er/made/file > /from-stage
RUN --mount=from=busybox,source=/bin/busybox,target=/other/sh,ro test -x /other/sh
`;
  const files = { Dockerfile, a: "a\n", "sub/b": "b\n", hidden: "h", ".dockerignore": "hidden\n" };
  await mustBuild(daemon, files, ["-t", "binds"]);
  assert.equal(await inImage("binds", "cat /read /listed /from-stage"), "a\nb\nb\nnew\nmade");
  assert.equal(await inImage("binds", "ls -d /context /rw /deep /other 2>/dev/null | wc -l"), "0");
});

test("a step with a bind is done again when what it shows has changed", async () => {
  using context = new ContextDirectory({
    Dockerfile: "FROM busybox\nRUN --mount=source=a,target=/a cat /a > /b",
    a: "1",
    other: "1",
  });
  const cached = async (): Promise<boolean> =>
    (await dockerBuild(daemon, context.path)).stdout.includes("Using cache");
  assert.equal(await cached(), false);
  context.write({ other: "2" });
  assert.equal(await cached(), true);
  context.write({ a: "2" });
  assert.equal(await cached(), false);
});

test("cache directories last, and are shared or not as is asked", async () => {
  const build = async (run: string, tag: string): Promise<void> => {
    await mustBuild(daemon, { Dockerfile: `FROM busybox\nRUN ${run}` }, ["-t", tag, "--no-cache"]);
  };
  await build(
    "--mount=type=cache,target=/c,id=x,uid=7,mode=700 stat -c '%u %a' /c > /s; echo 1 > /c/f",
    "one",
  );
  assert.equal(await inImage("one", "cat /s; ls -d /c 2>/dev/null | wc -l"), "7 700\n0");
  await build("--mount=type=cache,target=/other,id=x cat /other/f > /f", "two");
  assert.equal(await inImage("two", "cat /f"), "1");
  // Each takes a step that the other would see if it had the directory at the same time.
  const locked =
    "--mount=type=cache,target=/c,id=l,sharing=locked test ! -e /c/x && touch /c/x && sleep 0.3 && rm /c/x";
  await Promise.all([build(locked, "three"), build(`${locked} && true`, "four")]);
  const own =
    "--mount=type=cache,target=/c,id=p,sharing=private test ! -e /c/x && touch /c/x && sleep 0.5 && rm /c/x";
  await Promise.all([build(own, "five"), build(`${own} && true`, "six")]);
});

test("tmpfs", async () => {
  const Dockerfile =
    "FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=4m df -m /t | tail -1 > /size; cp /bin/busybox /t/true && /t/true && stat -c %a /t > /mode";
  await mustBuild(daemon, { Dockerfile }, ["-t", "tmpfs"]);
  assert.match(
    await inImage("tmpfs", "cat /size /mode; ls /t 2>/dev/null; true"),
    /^tmpfs +4 +0 +4 +0% \/t\n1777$/,
  );
});

/** A build with secrets, which docker's classic builder has no way to send. */
function buildWithSecrets(Dockerfile: string, secrets: Record<string, string>): Promise<string> {
  const encoded = Object.entries(secrets).map(([id, value]) => [id, Buffer.from(value).toString("base64")]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(encoded))).toString("base64url");
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        socketPath: daemon.socket,
        method: "POST",
        path: "/build?t=secrets",
        headers: { "Content-Type": "application/x-tar", "X-Berth-Build-Secrets": header },
      },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve(Buffer.concat(chunks).toString());
      },
    );
    sent.on("error", reject);
    sent.end(tarOf([{ name: "Dockerfile", data: Dockerfile }]));
  });
}

test("secrets are shown to their step and stay nowhere", async () => {
  const secret = "correct-horse-battery-staple";
  const Dockerfile = `FROM busybox
RUN --mount=type=secret,id=key stat -c '%u %a' /run/secrets/key > /stat; wc -c < /run/secrets/key > /size
RUN --mount=type=secret,id=key,env=KEY --mount=type=secret,id=none test -n "$KEY" && test ! -e /run/secrets/none
RUN test ! -e /run/secrets && test -z "$KEY"
`;
  const output = await buildWithSecrets(Dockerfile, { key: secret });
  assert.match(output, /Successfully built/);
  assert.doesNotMatch(output, new RegExp(secret));
  assert.equal(await inImage("secrets", "cat /stat /size"), `0 400\n${secret.length}`);
  assert.doesNotMatch(await daemon.ok(["image", "inspect", "secrets"]), new RegExp(secret));
  const database = readdirSync(daemon.dataRoot).filter((name) => name.startsWith("berth.db"));
  for (const name of database) assert.ok(!readFileSync(join(daemon.dataRoot, name)).includes(secret), name);
  assert.ok(!daemon.log.includes(secret));
  const missing = await failedBuild(daemon, {
    Dockerfile: "FROM busybox\nRUN --mount=type=secret,id=no,required=true true",
  });
  assert.match(missing.stderr, /secret no: not found/);
});

test("mounts that cannot be are refused", async () => {
  const cases: [string, RegExp][] = [
    ["type=odd,target=/x", /unsupported mount type "odd"/],
    ["type=cache", /target is required/],
    ["target=/x,colour=red", /unexpected key 'colour'/],
    ["source=missing,target=/x", /"missing": not found/],
    ["source=../../etc,target=/x", /not found/],
  ];
  for (const [mount, message] of cases) {
    const { stderr } = await failedBuild(daemon, { Dockerfile: `FROM busybox\nRUN --mount=${mount} true` });
    assert.match(stderr, message);
  }
});
