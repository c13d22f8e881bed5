import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { RegistryProcess } from "../support/registry-process.ts";
import { ContextDirectory } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-platforms-"));
let daemon: TestDaemon;
let registry: RegistryProcess;
before(async () => {
  daemon = await TestDaemon.start("build-platforms");
  registry = await RegistryProcess.start(join(directory, "registry"));
});
after(async () => {
  await daemon.end();
  registry.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function build(context: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await daemon.berth(["build", "--progress", "plain", ...args, context]);
  assert.equal(code, 0, stderr);
  return stderr;
}

async function raw(name: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run("skopeo", [
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${name}`,
  ]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A program that is made here for elsewhere. */
const Dockerfile = `FROM --platform=$BUILDPLATFORM busybox AS compile
RUN echo "$(cat /proc/sys/kernel/random/uuid)" > /uuid
FROM --platform=$BUILDPLATFORM busybox AS link
ARG TARGETARCH
COPY --from=compile /uuid /uuid
RUN echo "for $TARGETARCH" > /program
FROM scratch
ARG TARGETPLATFORM
COPY --from=link /program /uuid /
LABEL platform=$TARGETPLATFORM
`;

test("an image for two platforms: one name here, an index in the registry", async () => {
  using context = new ContextDirectory({ Dockerfile });
  const name = `${registry.host}/team/app:1`;
  const said = await build(
    context.path,
    "--platform",
    "linux/amd64,linux/arm64",
    "-t",
    name,
    "--push",
    "--no-cache",
  );
  assert.match(said, /\[linux\/arm64 link /);
  const index = await raw(name);
  assert.equal(index.mediaType, "application/vnd.oci.image.index.v1+json");
  const manifests = index.manifests as { platform: { architecture: string }; digest: string }[];
  assert.deepEqual(
    manifests.map(({ platform }) => platform.architecture),
    ["amd64", "arm64"],
  );
  const uuids: string[] = [];
  for (const arch of ["amd64", "arm64"]) {
    const out = join(directory, arch);
    const copied = await run("skopeo", [
      "--override-arch",
      arch,
      "copy",
      "--src-tls-verify=false",
      `docker://${name}`,
      `oci:${out}:x`,
    ]);
    assert.equal(copied.code, 0, copied.stderr);
    const config = await run("skopeo", ["inspect", "--config", `oci:${out}:x`]);
    const { architecture, config: own } = JSON.parse(config.stdout);
    assert.deepEqual([architecture, own.Labels.platform], [arch, `linux/${arch}`]);
    await build(context.path, "--platform", `linux/${arch}`, "-o", join(directory, `files-${arch}`));
    assert.equal(readFileSync(join(directory, `files-${arch}`, "program"), "utf8"), `for ${arch}\n`);
    uuids.push(readFileSync(join(directory, `files-${arch}`, "uuid"), "utf8"));
  }
  // What both stand on was done once, without a cache as well.
  assert.equal(uuids[0], uuids[1]);
  // docker sees one image of this name, and no nameless one beside it.
  assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Architecture}}", name]), "amd64");
  assert.doesNotMatch(await daemon.ok(["images", "-a"]), /<none>/);
  await daemon.ok(["image", "prune", "-f"]);
  await daemon.ok(["tag", name, `${registry.host}/team/again:1`]);
  await daemon.ok(["rmi", name]);
  await daemon.ok(["push", `${registry.host}/team/again:1`]);
  assert.deepEqual(await raw(`${registry.host}/team/again:1`), index);
  await daemon.ok(["rmi", `${registry.host}/team/again:1`]);
  // The other one went with the last name.
  assert.equal((await daemon.ok(["image", "ls", "-aq"])).split("\n").length, 1);
});

test("files of several platforms, each in a directory of its own; an archive of both", async () => {
  using context = new ContextDirectory({ Dockerfile });
  const out = join(directory, "both");
  await build(
    context.path,
    "--platform",
    "linux/amd64,linux/arm/v7",
    "-o",
    out,
    "-o",
    `type=oci,dest=${out}.tar`,
  );
  assert.equal(readFileSync(join(out, "linux_amd64/program"), "utf8"), "for amd64\n");
  assert.equal(readFileSync(join(out, "linux_arm_v7/program"), "utf8"), "for arm\n");
  const { stdout } = await run("skopeo", [
    "--override-arch",
    "arm",
    "--override-variant",
    "v7",
    "inspect",
    "--config",
    `oci-archive:${out}.tar`,
  ]);
  assert.equal(JSON.parse(stdout).variant, "v7");
});

test("a base of another platform is pulled and keeps its name out of the way; RUN on it needs an emulator", async () => {
  using base = new ContextDirectory({
    Dockerfile: "FROM scratch\nCOPY x /x\nARG TARGETARCH\nLABEL of=$TARGETARCH",
    x: "",
  });
  const name = `${registry.host}/team/base:1`;
  await build(base.path, "--platform", "linux/amd64,linux/s390x", "-t", name, "--push");
  await daemon.ok(["rmi", name]);
  await daemon.ok(["pull", name]);
  using context = new ContextDirectory({
    Dockerfile: `FROM ${name}\nCOPY y /y`,
    y: "y",
    run: `FROM ${name}\nRUN true`,
  });
  await build(context.path, "--platform", "linux/s390x", "-t", "foreign");
  assert.equal(
    await daemon.ok(["image", "inspect", "-f", "{{.Architecture}} {{.Config.Labels.of}}", "foreign"]),
    "s390x s390x",
  );
  assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Architecture}}", name]), "amd64");
  const { code, stderr } = await daemon.berth([
    "build",
    "--platform",
    "linux/s390x",
    "-f",
    join(context.path, "run"),
    context.path,
  ]);
  assert.notEqual(code, 0);
  assert.match(stderr, /RUN for linux\/s390x needs an emulator/);
});
