import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { RegistryProcess } from "../support/registry-process.ts";
import { ContextDirectory, dockerBuild } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-caches-"));
let giver: TestDaemon;
let taker: TestDaemon;
let registry: RegistryProcess;
before(async () => {
  giver = await TestDaemon.start("build-giver");
  taker = await TestDaemon.start("build-taker");
  registry = await RegistryProcess.start(join(directory, "registry"));
});
after(async () => {
  await Promise.all([giver.end(), taker.end()]);
  registry.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function build(daemon: TestDaemon, context: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await daemon.berth([
    "build",
    "--progress",
    "plain",
    "-t",
    "built",
    ...args,
    context,
  ]);
  assert.equal(code, 0, stderr);
  return stderr;
}

const idOf = (daemon: TestDaemon): Promise<string> =>
  daemon.ok(["image", "inspect", "-f", "{{.Id}}", "built"]);
const cached = (said: string): number => said.match(/ cached$/gm)?.length ?? 0;

/** Five steps beside FROM; only the giver can do the RUNs, because the taker's secret differs. */
const Dockerfile = (mark: string): string => `FROM busybox AS tools
RUN echo tools-${mark} > /tool && cat /proc/sys/kernel/random/uuid >> /tool
FROM busybox
ENV A=1
RUN cat /proc/sys/kernel/random/uuid > /uuid-${mark}
COPY --from=tools /tool /tool
COPY file /file
`;

async function forget(daemon: TestDaemon): Promise<void> {
  await daemon.berth(["rmi", "-f", "built"]);
  await daemon.berth(["builder", "prune", "-af"]);
}

test("through a registry: all stages with mode=max, and the same image comes out", async () => {
  using context = new ContextDirectory({ Dockerfile: Dockerfile("max"), file: "1" });
  const ref = `${registry.host}/cache/max:1`;
  await build(giver, context.path, "--cache-to", `type=registry,ref=${ref},mode=max`);
  const said = await build(taker, context.path, "--cache-from", ref);
  assert.equal(cached(said), 5, said);
  assert.equal(await idOf(taker), await idOf(giver));
  // What was taken is its own from here on.
  assert.equal(cached(await build(taker, context.path)), 5);
  // The cache is no image that anybody sees.
  assert.doesNotMatch(await giver.ok(["images", "-a"]), /cache\/max|<none>/);
  assert.doesNotMatch(await taker.ok(["images", "-a"]), /cache\/max|<none>/);
  await forget(taker);
});

test("without mode=max only what the result stands on goes; what changed is done anew", async () => {
  using context = new ContextDirectory({ Dockerfile: Dockerfile("min"), file: "1" });
  const ref = `${registry.host}/cache/min:1`;
  await build(giver, context.path, "--cache-to", `type=registry,ref=${ref}`);
  context.write({ file: "2" });
  const said = await build(taker, context.path, "--cache-from", `type=registry,ref=${ref}`);
  // ENV and RUN of the last stage; the tools are made again, so that what copies them is too.
  assert.equal(cached(said), 2, said);
  await forget(taker);
});

test("through a directory", async () => {
  using context = new ContextDirectory({ Dockerfile: Dockerfile("local"), file: "1" });
  const dest = join(directory, "local");
  await build(giver, context.path, "--cache-to", `type=local,dest=${dest},mode=max`);
  const said = await build(taker, context.path, "--cache-from", `type=local,src=${dest}`);
  assert.equal(cached(said), 5, said);
  assert.equal(await idOf(taker), await idOf(giver));
  assert.doesNotMatch(await taker.ok(["images", "-a"]), /<none>/);
  await forget(taker);
});

test("with the image itself, also for the docker command line", async () => {
  using context = new ContextDirectory({ Dockerfile: Dockerfile("inline"), file: "1" });
  const name = `${registry.host}/team/inline:1`;
  await build(giver, context.path, "-t", name, "--cache-to", "type=inline");
  await giver.ok(["push", name]);
  await taker.ok(["pull", name]);
  const { code, stdout, stderr } = await dockerBuild(taker, context.path, ["--cache-from", name]);
  assert.equal(code, 0, stderr);
  // The tools are not of the image: what is made of them is another one here.
  assert.equal(stdout.match(/Using cache/g)?.length, 2, stdout);
  assert.equal(await taker.ok(["run", "--rm", name, "cat", "/file"]), "1");
  await forget(taker);
});

test("a cache that is not there is no failure; one that cannot be understood is said", async () => {
  using context = new ContextDirectory({ Dockerfile: Dockerfile("none"), file: "1" });
  const said = await build(
    taker,
    context.path,
    "--cache-from",
    `${registry.host}/cache/none:1`,
    "--cache-from",
    "type=local,src=/nowhere",
  );
  assert.match(said, /warning: no cache from .*cache\/none:1: /);
  assert.match(said, /no cache from \/nowhere/);
  const { code, stderr } = await taker.berth(["build", "--cache-to", "type=s3,bucket=x", context.path]);
  assert.notEqual(code, 0);
  assert.match(stderr, /unknown cache type "s3"/);
});
