import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import {
  authHeader,
  eraseCredentials,
  findCredentials,
  hub,
  registryOf,
  storeCredentials,
} from "./credentials.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-credentials-test-"));
const path = join(folder, "config.json");
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  process.env.DOCKER_CONFIG = folder;
  writeFileSync(path, JSON.stringify({ psFormat: "kept", auths: {} }));
});

test("an image's registry is its first part if that looks like a host", () => {
  assert.equal(registryOf("busybox"), hub);
  assert.equal(registryOf("someone/image"), hub);
  assert.equal(registryOf("docker.io/library/x"), hub);
  assert.equal(registryOf("localhost/x"), "localhost");
  assert.equal(registryOf("127.0.0.1:5000/x:1"), "127.0.0.1:5000");
  assert.equal(registryOf("ghcr.io/a/b"), "ghcr.io");
});

test("credentials are kept in docker's file, for the owner alone, beside what is there", async () => {
  const given = { username: "me", password: "a:b", serveraddress: "ghcr.io" };
  assert.equal(await storeCredentials(given), true);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(JSON.parse(readFileSync(path, "utf8")).psFormat, "kept");
  assert.deepEqual(await findCredentials("ghcr.io"), { ...given, identitytoken: undefined });
  const header = (await authHeader("ghcr.io/x/y"))["X-Registry-Auth"] ?? "";
  assert.equal(JSON.parse(Buffer.from(header, "base64url").toString()).password, "a:b");
  await eraseCredentials("ghcr.io");
  assert.equal(await findCredentials("ghcr.io"), undefined);
  assert.deepEqual(await authHeader("ghcr.io/x/y"), {});
});

test("a token takes the place of the password", async () => {
  await storeCredentials({ username: "me", password: "secret", identitytoken: "tok", serveraddress: hub });
  assert.equal(readFileSync(path, "utf8").includes(Buffer.from("me:secret").toString("base64")), false);
  assert.equal((await findCredentials(hub))?.identitytoken, "tok");
});

test("a broken file is named", async () => {
  writeFileSync(path, "{");
  await assert.rejects(findCredentials(hub), /config\.json is not valid JSON/);
});
