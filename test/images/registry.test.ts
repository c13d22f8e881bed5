// Against the distribution project's own registry, with skopeo and the docker CLI as the other side.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, imageId, ociLayout, tarOf } from "../support/images.ts";
import { RegistryProcess } from "../support/registry-process.ts";

const present = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;
const missing = ["docker-registry", "skopeo", "openssl"].filter((program) => !present(program));
const skip = missing.length > 0 ? `not installed: ${missing.join(", ")}` : false;

const base = mkdtempSync(join(tmpdir(), "berth-registry-"));
/** bcrypt of "secret". */
const passwordHash = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

async function skopeo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("skopeo", args);
  assert.equal(code, 0, `skopeo ${args.join(" ")}\n${stderr}`);
  return stdout.trim();
}

describe("a real registry", { skip }, () => {
  let daemon: TestDaemon;
  const registries: RegistryProcess[] = [];
  const certificates = join(base, "certs.d");

  const registry = async (name: string, more = ""): Promise<RegistryProcess> => {
    const started = await RegistryProcess.start(join(base, name), more);
    registries.push(started);
    return started;
  };

  before(async () => {
    const config = join(base, "registries.json");
    writeFileSync(config, JSON.stringify({ certificates: [certificates] }));
    daemon = new TestDaemon("registry");
    await daemon.up("--registries", config);
    await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  });

  after(async () => {
    await daemon.end();
    for (const each of registries) each.stop();
    rmSync(base, { recursive: true, force: true });
  });

  test("push, have skopeo look, remove, pull and run", async () => {
    const { host } = await registry("open");
    const name = `${host}/team/bb:v1`;
    await daemon.ok(["tag", "busybox", name]);
    const pushed = await daemon.ok(["push", name]);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1];
    const seen = JSON.parse(await skopeo("inspect", "--tls-verify=false", `docker://${name}`));
    assert.equal(seen.Digest, digest);
    const config = JSON.parse(await skopeo("inspect", "--config", "--tls-verify=false", `docker://${name}`));
    assert.deepEqual(config.config.Cmd, ["sh"]);
    await daemon.ok(["rmi", name, "busybox"]);
    const pulled = await daemon.ok(["pull", name]);
    assert.match(pulled, /Pull complete/);
    assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", name]), imageId(busyboxImage()));
    assert.equal(await daemon.ok(["run", "--rm", name, "echo", "hi"]), "hi");
    await daemon.ok(["tag", name, "busybox"]);
    assert.match(await daemon.ok(["pull", `${host}/team/bb@${digest}`]), /up to date/);
  });

  test("docker run pulls what is missing", async () => {
    const { host } = await registry("run");
    const archive = join(base, "run.tar");
    writeFileSync(archive, dockerArchive([busyboxImage({ tags: [], config: { Cmd: ["echo", "pulled"] } })]));
    await skopeo("copy", "--dest-tls-verify=false", `docker-archive:${archive}`, `docker://${host}/run:1`);
    const { code, stdout, stderr } = await daemon.docker(["run", "--rm", `${host}/run:1`]);
    assert.deepEqual([code, stdout.trim()], [0, "pulled"]);
    assert.match(stderr, /Unable to find image/);
  });

  test("what skopeo copies in and out keeps its digests, also an index", async () => {
    const { host } = await registry("copies");
    const archive = join(base, "multi.tar");
    const foreign = { architecture: "s390x", layers: [tarOf([{ name: "f", data: "f" }])] };
    writeFileSync(
      archive,
      ociLayout([busyboxImage({ tags: ["m:1"], ...foreign }), busyboxImage({ tags: ["m:1"] })]),
    );
    await skopeo(
      "copy",
      "--all",
      "--dest-tls-verify=false",
      `oci-archive:${archive}`,
      `docker://${host}/m:1`,
    );
    await daemon.ok(["pull", `${host}/m:1`]);
    const raw = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${host}/m:1`]);
    assert.match(raw.stdout, /s390x/);
    await daemon.ok(["tag", `${host}/m:1`, `${host}/n:1`]);
    await daemon.ok(["push", `${host}/n:1`]);
    const before = JSON.parse(raw.stdout).manifests.map((entry: { digest: string }) => entry.digest);
    const seen = JSON.parse(await skopeo("inspect", "--tls-verify=false", `docker://${host}/n:1`));
    assert.ok(before.includes(seen.Digest));
  });

  test("basic auth: docker login, push, pull, logout", async () => {
    writeFileSync(join(base, "htpasswd"), `user:${passwordHash}\n`);
    const { host } = await registry("auth", `auth: {htpasswd: {realm: test, path: ${base}/htpasswd}}\n`);
    const env = { DOCKER_CONFIG: join(base, "docker") };
    const name = `${host}/private:1`;
    await daemon.ok(["tag", "busybox", name]);
    const refused = await daemon.docker(["push", name], { env });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no basic auth credentials/);
    const wrong = await daemon.docker(["login", "-u", "user", "--password-stdin", host], {
      env,
      input: "wrong",
    });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /unauthorized/i);
    const login = await daemon.docker(["login", "-u", "user", "--password-stdin", host], {
      env,
      input: "secret",
    });
    assert.match(login.stdout, /Login Succeeded/);
    await daemon.ok(["push", name], { env });
    await daemon.ok(["rmi", name]);
    await daemon.ok(["pull", name], { env });
    await daemon.ok(["logout", host], { env });
    const out = await daemon.docker(["pull", `${host}/private:2`], { env, timeout: 10_000 });
    assert.match(out.stderr, /no basic auth credentials/);
  });

  test("TLS with an authority of one's own, and a client's certificate", async () => {
    const ca = join(base, "ca");
    const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    openssl(
      "req",
      "-x509",
      ...key,
      "-subj",
      "/CN=test",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      `${ca}.key`,
      "-out",
      `${ca}.crt`,
    );
    const { host } = await registry(
      "tls",
      `  tls: {certificate: ${ca}.crt, key: ${ca}.key, clientcas: [${ca}.crt]}\n`,
    );
    const name = `${host}/tls:1`;
    await daemon.ok(["tag", "busybox", name]);
    assert.equal((await daemon.docker(["push", name])).code, 1);
    const directory = join(certificates, host);
    mkdirSync(directory, { recursive: true });
    for (const [from, to] of [
      ["crt", "ca.crt"],
      ["crt", "client.cert"],
      ["key", "client.key"],
    ] as const) {
      execFileSync("cp", [`${ca}.${from}`, join(directory, to)]);
    }
    await daemon.down();
    await daemon.up("--registries", join(base, "registries.json"));
    await daemon.ok(["push", name]);
    await daemon.ok(["rmi", name]);
    await daemon.ok(["pull", name]);
  });

  test("an image of many layers, the kinds of files that images have", async () => {
    const { host } = await registry("kinds");
    const layers = [busyboxLayer()];
    for (let i = 0; i < 12; i++) {
      layers.push(
        tarOf([
          { name: `layer${i}/`, type: "directory", mode: 0o2755, uid: i },
          { name: `layer${i}/set`, mode: 0o4755, data: `${i}` },
          { name: `layer${i}/hard`, type: "link", linkname: `layer${i}/set` },
          { name: `layer${i}/${"long".repeat(50)}`, data: "long" },
          ...(i > 0 ? [{ name: `layer${i - 1}/.wh.hard` }] : []),
        ]),
      );
    }
    await daemon.ok(["load"], {
      input: dockerArchive([busyboxImage({ tags: [`${host}/kinds:1`], layers })]),
    });
    await daemon.ok(["push", `${host}/kinds:1`]);
    await daemon.ok(["rmi", `${host}/kinds:1`]);
    await daemon.ok(["pull", `${host}/kinds:1`]);
    const script = "ls /layer3; stat -c '%a %u %h' /layer11/set /layer11";
    const listed = await daemon.ok(["run", "--rm", `${host}/kinds:1`, "sh", "-c", script]);
    assert.deepEqual(listed.split("\n"), ["long".repeat(50), "set", "4755 0 2", "2755 11 2"]);
  });
});
