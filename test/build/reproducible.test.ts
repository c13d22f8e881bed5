import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { ContextDirectory } from "./support.ts";

const epoch = 1_600_000_000;
let first: TestDaemon;
let second: TestDaemon;
before(async () => {
  first = await TestDaemon.start("build-same-a");
  second = await TestDaemon.start("build-same-b");
});
after(() => Promise.all([first.end(), second.end()]));

/** All that leaves marks of the time: new files, files of the base replaced, removed, linked. */
const Dockerfile = `FROM busybox AS base
RUN mkdir -p /a/b && echo 1 > /a/b/1 && ln /a/b/1 /a/b/2 && ln -s 1 /a/b/3 && rm /bin/vi && echo x >> /etc/passwd
FROM base AS made
ARG SOURCE_DATE_EPOCH
RUN echo $SOURCE_DATE_EPOCH > /epoch && rm -rf /a/b && mkdir /a/b && mkfifo /a/b/pipe
FROM busybox
WORKDIR /work
COPY . .
COPY --from=made /a /epoch /made/
LABEL b=2 a=1
ENV Z=1 A=2
VOLUME /v
CMD ["sh"]
`;

async function build(daemon: TestDaemon, context: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await daemon.berth(["build", ...args, context], {
    env: { SOURCE_DATE_EPOCH: String(epoch) },
  });
  assert.equal(code, 0, stderr);
}

const idOf = (daemon: TestDaemon, name: string): Promise<string> =>
  daemon.ok(["image", "inspect", "-f", "{{.Id}}", name]);
const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

test("the same image comes out twice, and in another data root", async () => {
  using context = new ContextDirectory({ Dockerfile, "src/x": "x", y: "y" });
  using out = new ContextDirectory();
  await build(first, context.path, "-t", "same");
  const id = await idOf(first, "same");
  await build(first, context.path, "-t", "again", "--no-cache");
  assert.equal(await idOf(first, "again"), id);
  await build(
    second,
    context.path,
    "-t",
    "same",
    "-o",
    "type=image",
    "-o",
    `type=oci,dest=${join(out.path, "b")}`,
  );
  assert.equal(await idOf(second, "same"), id);
  // The same manifest and archive, byte by byte.
  await build(first, context.path, "-t", "same", "-o", `type=oci,dest=${join(out.path, "a")}`);
  assert.equal(digest(join(out.path, "a")), digest(join(out.path, "b")));
  const config = JSON.parse(await first.ok(["image", "inspect", "same"]))[0];
  assert.equal(config.Created, "2020-09-13T12:26:40Z");
  const seen = await first.ok([
    "run",
    "--rm",
    "same",
    "sh",
    "-c",
    "cat /made/epoch; stat -c %Y /work /work/y /made/b/pipe /made; ls /made/b",
  ]);
  assert.equal(seen, `${epoch}\n${`${epoch}\n`.repeat(4)}pipe`);
});

test("whiteouts and hard links are kept", async () => {
  using context = new ContextDirectory({ Dockerfile });
  await build(first, context.path, "-t", "base", "--target", "base");
  const seen = await first.ok([
    "run",
    "--rm",
    "base",
    "sh",
    "-c",
    "test -e /bin/vi || echo gone; stat -c '%h %Y' /a/b/1; readlink /a/b/3",
  ]);
  assert.equal(seen, `gone\n2 ${epoch}\n1`);
});

test("what is not a time is refused", async () => {
  using context = new ContextDirectory({ Dockerfile: "FROM busybox" });
  const { code, stderr } = await first.berth([
    "build",
    "--build-arg",
    "SOURCE_DATE_EPOCH=today",
    context.path,
  ]);
  assert.notEqual(code, 0);
  assert.match(stderr, /invalid SOURCE_DATE_EPOCH "today"/);
});
