import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { ContextDirectory } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-output");
});
after(() => daemon.end());

const Dockerfile = `FROM busybox AS base
RUN mkdir /made && echo made > /made/file && chmod 640 /made/file && ln -s file /made/link
FROM scratch
COPY --from=base /made /made
COPY own /own
`;
const files = { Dockerfile, own: "own\n" };

async function berth(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await daemon.berth(args);
  assert.equal(code, 0, stderr);
  return { stdout, stderr };
}

test("files into a directory: beside what is there, owned by the caller, links as links", async () => {
  using context = new ContextDirectory(files);
  using target = new ContextDirectory({ "out/kept": "kept" });
  const out = join(target.path, "out");
  await berth("build", "-o", out, context.path);
  assert.deepEqual(readdirSync(out).sort(), ["kept", "made", "own"]);
  assert.equal(readFileSync(join(out, "made/file"), "utf8"), "made\n");
  assert.equal(lstatSync(join(out, "made/file")).mode & 0o777, 0o640);
  assert.equal(readlinkSync(join(out, "made/link")), "file");
  // No image comes of it.
  assert.doesNotMatch(await daemon.ok(["images", "-a", "--format", "{{.ID}} {{.Repository}}"]), /<none>/);
});

test("a link in the target directory leads nowhere", async () => {
  using context = new ContextDirectory(files);
  using target = new ContextDirectory({ "elsewhere/x": "" });
  mkdirSync(join(target.path, "out"));
  symlinkSync(join(target.path, "elsewhere"), join(target.path, "out/made"));
  const { code, stderr } = await daemon.berth(["build", "-o", join(target.path, "out"), context.path]);
  assert.notEqual(code, 0);
  assert.match(stderr, /made/);
  assert.deepEqual(readdirSync(join(target.path, "elsewhere")), ["x"]);
});

test("files as an archive, to a file and to standard output", async () => {
  using context = new ContextDirectory(files);
  const file = join(context.path, "../", `${context.path.split("/").at(-1)}.tar`);
  await berth("build", "-o", `type=tar,dest=${file}`, context.path);
  const listed = await run("tar", ["tvf", file]);
  assert.match(listed.stdout, /-rw-r----- 0\/0 +5 .* made\/file\n/);
  const { code, stdout } = await run("sh", [
    "-c",
    '"$0" -H "$1" build -q -o - "$2" | tar t; rm "$3"',
    join(import.meta.dirname, "../../bin/berth"),
    daemon.host,
    context.path,
    file,
  ]);
  assert.equal(code, 0);
  assert.deepEqual(stdout.split("\n").filter(Boolean).sort(), ["made/", "made/file", "made/link", "own"]);
});

test("archives that others read: docker load, skopeo", async () => {
  using context = new ContextDirectory({
    Dockerfile: "FROM busybox\nRUN echo 1 > /one\nCMD cat /one",
    own: "",
  });
  using target = new ContextDirectory();
  const archive = join(target.path, "docker.tar");
  await berth("build", "-t", "archived:1", "-o", `type=docker,dest=${archive}`, context.path);
  assert.equal((await daemon.docker(["image", "inspect", "archived:1"])).code, 1);
  assert.match(await daemon.ok(["load", "-i", archive]), /Loaded image: archived:1/);
  assert.equal(await daemon.ok(["run", "--rm", "archived:1"]), "1");

  const layout = join(target.path, "oci.tar");
  const metadata = await berth(
    "build",
    "-t",
    "archived:2",
    "-o",
    `type=oci,dest=${layout}`,
    "--annotation",
    "manifest,index-descriptor:a.b=c=d",
    context.path,
  );
  assert.match(metadata.stderr, /write an OCI image layout/);
  const raw = await run("skopeo", ["inspect", "--raw", `oci-archive:${layout}:2`]);
  assert.equal(raw.code, 0, raw.stderr);
  const [entry] = JSON.parse(raw.stdout).manifests ?? [JSON.parse(raw.stdout)];
  assert.equal(typeof entry, "object");
  const inspected = await run("skopeo", ["inspect", `oci-archive:${layout}:2`]);
  assert.equal(inspected.code, 0, inspected.stderr);
  assert.equal(JSON.parse(inspected.stdout).Layers.length, 2);

  const plain = join(target.path, "layout");
  await berth(
    "build",
    "-o",
    `type=oci,tar=false,compression=zstd,dest=${plain}`,
    "--annotation",
    "x=y",
    context.path,
  );
  const index = JSON.parse(readFileSync(join(plain, "index.json"), "utf8"));
  const manifest = JSON.parse(
    readFileSync(join(plain, "blobs", index.manifests[0].digest.replace(":", "/")), "utf8"),
  );
  assert.deepEqual(manifest.annotations, { x: "y" });
  assert.ok(manifest.layers.every(({ mediaType }: { mediaType: string }) => mediaType.endsWith("+zstd")));
  const copied = await run("skopeo", ["copy", `oci:${plain}`, `dir:${join(target.path, "dir")}`]);
  assert.equal(copied.code, 0, copied.stderr);
});

test("more than a pipe holds, byte by byte", async () => {
  const size = 20_000_000;
  using context = new ContextDirectory({
    Dockerfile: "FROM scratch\nCOPY large /",
    large: randomBytes(size),
  });
  using target = new ContextDirectory();
  await berth("build", "-o", target.path, context.path);
  assert.ok(readFileSync(join(target.path, "large")).equals(readFileSync(join(context.path, "large"))));
});

test("several outputs of one build", async () => {
  using context = new ContextDirectory(files);
  using target = new ContextDirectory();
  const out = join(target.path, "out");
  await berth(
    "build",
    "-o",
    out,
    "-o",
    `type=tar,dest=${out}.tar`,
    "-o",
    "type=image,name=several:1",
    context.path,
  );
  assert.equal(readFileSync(join(out, "own"), "utf8"), "own\n");
  assert.equal((await run("tar", ["tf", `${out}.tar`])).code, 0);
  assert.match(await daemon.ok(["image", "inspect", "several:1"]), /sha256/);
});

test("a failed build leaves no output; what is wrong with an output is said", async () => {
  using context = new ContextDirectory({ Dockerfile: "FROM busybox\nRUN false" });
  const out = join(context.path, "out");
  assert.notEqual((await daemon.berth(["build", "-o", out, context.path])).code, 0);
  assert.equal(existsSync(out), false);
  for (const [output, message] of [
    ["type=x,dest=y", /unknown output type "x"/],
    ["type=local", /dest is required/],
    ["type=tar,dest=a,b", /must be a key=value pair/],
    ["type=oci,dest=a,compression=lzma", /unknown compression "lzma"/],
    ["type=oci,dest=a,size=1", /unknown option "size"/],
    ["type=tar,dest=/no/such/place", /no such file or directory/],
  ] as const) {
    const failed = await daemon.berth(["build", "-o", output, "-"], { input: "FROM busybox" });
    assert.notEqual(failed.code, 0, output);
    assert.match(failed.stderr, message);
  }
  writeFileSync(out, "");
  const taken = await daemon.berth(["build", "-o", out, "-"], { input: "FROM busybox" });
  assert.notEqual(taken.code, 0);
  assert.match(taken.stderr, /out/);
});
