import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { RegistryProcess } from "../support/registry-process.ts";
import { ContextDirectory } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-provenance-"));
let daemon: TestDaemon;
let registry: RegistryProcess;
before(async () => {
  daemon = await TestDaemon.start("build-provenance");
  registry = await RegistryProcess.start(join(directory, "registry"));
});
after(async () => {
  await daemon.end();
  registry.stop();
  rmSync(directory, { recursive: true, force: true });
});

const Dockerfile = `FROM busybox
ARG VERSION
ARG API_TOKEN
ARG MIRROR
COPY a /a
RUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null
`;

async function build(context: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await daemon.berth(
    [
      "build",
      "--secret",
      "id=s,env=HIDDEN",
      "--build-arg",
      "VERSION=1.2",
      "--build-arg",
      "API_TOKEN=hidden-token",
      "--build-arg",
      "MIRROR=https://me:hidden-word@host/x",
      "--build-arg",
      "UNUSED=hidden",
      ...args,
      context,
    ],
    { env: { HIDDEN: "hidden-secret" } },
  );
  assert.equal(code, 0, stderr);
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked at field by field
type Json = any;

async function skopeo(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await run("skopeo", args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test("what an image was built from is told without secrets: in the metadata file and by image inspect", async () => {
  using context = new ContextDirectory({ Dockerfile, a: "a" });
  const file = join(directory, "metadata.json");
  await build(context.path, "-t", "told", "--metadata-file", file);
  const metadata = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(
    metadata["containerimage.config.digest"],
    await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "told"]),
  );
  assert.equal(metadata["image.name"], "told:latest");
  const { buildDefinition } = metadata["buildx.build.provenance"];
  assert.equal(
    buildDefinition.externalParameters.configSource.digest.sha256,
    createHash("sha256").update(Dockerfile).digest("hex"),
  );
  assert.deepEqual(buildDefinition.externalParameters.request.args, {
    API_TOKEN: "(not shown)",
    MIRROR: "https://host/x",
    VERSION: "1.2",
  });
  const base = await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "busybox"]);
  const [image, files] = buildDefinition.resolvedDependencies;
  assert.match(image.uri, /^pkg:docker\/busybox@latest\?platform=linux%2F/);
  assert.equal(`sha256:${image.digest.sha256}`, base);
  assert.equal(files.name, "context");
  assert.doesNotMatch(readFileSync(file, "utf8"), /hidden/);
  const own = await daemon.berth(["image", "inspect", "told"]);
  assert.deepEqual(JSON.parse(own.stdout)[0].Provenance, metadata["buildx.build.provenance"]);
  // docker sees what it knows.
  assert.equal(JSON.parse(await daemon.ok(["image", "inspect", "told"]))[0].Provenance, undefined);
});

test("annotations and provenance go to the registry, and pull as before", async () => {
  using context = new ContextDirectory({ Dockerfile, a: "a" });
  const name = `${registry.host}/team/app:1`;
  const file = join(directory, "pushed.json");
  await build(
    context.path,
    "-t",
    name,
    "--push",
    "--provenance",
    "mode=max",
    "--annotation",
    "org.opencontainers.image.title=App",
    "--annotation",
    "index:of=index",
    "--metadata-file",
    file,
  );
  const index = await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${name}`);
  assert.deepEqual(index.annotations, { of: "index" });
  const [image, statement] = index.manifests;
  assert.deepEqual(statement.platform, { architecture: "unknown", os: "unknown" });
  assert.equal(statement.annotations["vnd.docker.reference.digest"], image.digest);
  const repository = `docker://${registry.host}/team/app`;
  const manifest = await skopeo("inspect", "--raw", "--tls-verify=false", `${repository}@${image.digest}`);
  assert.deepEqual(manifest.annotations, { "org.opencontainers.image.title": "App" });
  const attached = await skopeo(
    "inspect",
    "--raw",
    "--tls-verify=false",
    `${repository}@${statement.digest}`,
  );
  assert.equal(attached.layers[0].mediaType, "application/vnd.in-toto+json");
  const blob = await fetch(`http://${registry.host}/v2/team/app/blobs/${attached.layers[0].digest}`);
  const told = (await blob.json()) as Json;
  assert.equal(`sha256:${told.subject[0].digest.sha256}`, image.digest);
  assert.equal(told.predicate.buildDefinition.internalParameters.dockerfile, Dockerfile);
  assert.match(JSON.parse(readFileSync(file, "utf8"))["containerimage.digest"], /^sha256:/);
  await daemon.ok(["rmi", name]);
  await daemon.ok(["pull", name]);
  assert.equal(await daemon.ok(["run", "--rm", name, "cat", "/a"]), "a");
});

test("an archive that is to be the same each time has provenance without times", async () => {
  using context = new ContextDirectory({ Dockerfile, a: "a" });
  const digests: string[] = [];
  for (const name of ["one", "two"]) {
    const file = join(directory, name);
    await build(
      context.path,
      "--no-cache",
      "--build-arg",
      "SOURCE_DATE_EPOCH=1600000000",
      "--attest",
      "type=provenance",
      "-o",
      `type=oci,dest=${file}`,
    );
    digests.push(createHash("sha256").update(readFileSync(file)).digest("hex"));
  }
  assert.equal(digests[0], digests[1]);
  const { stdout } = await run("tar", ["xOf", join(directory, "one"), "index.json"]);
  assert.match(stdout, /image\.index/);
  const sbom = await daemon.berth(["build", "--attest", "type=sbom", context.path]);
  assert.match(sbom.stderr, /only provenance is made/);
});
