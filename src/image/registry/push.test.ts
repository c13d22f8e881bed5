import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  busyboxImage,
  dockerArchive,
  imageId,
  manifestOf,
  type TestImage,
  tarOf,
} from "../../../test/support/images.ts";
import { TestRegistry } from "../../../test/support/registry.ts";
import type { Progress } from "../types.ts";
import { testStores } from "./stores-testing.ts";

const open = testStores("push");

let registry: TestRegistry;

beforeEach(async () => {
  registry = await TestRegistry.start();
});

afterEach(() => registry.stop());

const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });
const image = (tag: string, ...names: string[]): TestImage => ({
  tags: [tag],
  layers: names.map((name) => tarOf([{ name, data: name.repeat(1000) }])),
});

async function loaded(...images: TestImage[]) {
  const both = open();
  await both.store.load(stream(dockerArchive(images)));
  return both;
}

const writes = (): string[] => registry.requests.filter((line) => !/^(GET|HEAD)/.test(line));

describe("push", () => {
  test("an image that came as plain tar, and pull it elsewhere", async () => {
    const { state, store } = await loaded(busyboxImage());
    const name = `${registry.host}/team/bb:v1`;
    await store.tag("busybox", name);
    const said: Progress[] = [];
    await store.push(name, { onProgress: (line) => said.push(line) });
    assert.equal(said[0]?.status, `The push refers to repository [${registry.host}/team/bb]`);
    assert.ok(said.some(({ status }) => status === "Pushed"));
    assert.match(said.at(-2)?.status ?? "", /^v1: digest: sha256:[0-9a-f]{64} size: \d+$/);
    assert.deepEqual(readdirSync(join(state.paths.content, "sha256")), []);
    assert.equal((await store.inspect(name)).RepoDigests?.length, 1);
    assert.equal(await open().store.pull(name), imageId(busyboxImage()));
  });

  test("again sends nothing but the manifest", async () => {
    const { store } = await loaded(image("a:1", "x", "y"));
    const name = `${registry.host}/a:1`;
    await store.tag("a:1", name);
    await store.push(name);
    registry.requests.length = 0;
    const said: Progress[] = [];
    await store.push(name, { onProgress: (line) => said.push(line) });
    assert.deepEqual(writes(), ["PUT /v2/a/manifests/1"]);
    assert.equal(said.filter(({ status }) => status === "Layer already exists").length, 2);
  });

  test("what was pulled goes on bit for bit", async () => {
    const { store } = open();
    for (const packing of ["gzip", "zstd"] as const) {
      const digest = registry.add(
        `from/${packing}:1`,
        manifestOf(image("x", "a", packing), packing, packing === "gzip" ? "docker" : "oci"),
      );
      const from = `${registry.host}/from/${packing}:1`;
      const to = `${registry.host}/to/${packing}:1`;
      await store.pull(from);
      await store.tag(from, to);
      await store.push(to);
      assert.ok(registry.manifests.has(`to/${packing}@${digest}`), packing);
    }
  });

  test("layers are mounted from another repository of the registry", async () => {
    const { store } = await loaded(image("a:1", "x", "y"));
    await store.tag("a:1", `${registry.host}/one:1`);
    await store.push(`${registry.host}/one:1`);
    await store.tag("a:1", `${registry.host}/two:1`);
    registry.requests.length = 0;
    const said: Progress[] = [];
    // This registry tells of a blob only to the repository that it was sent to.
    registry.fault = (request, response) => {
      if (request.method !== "HEAD" || !request.url?.startsWith("/v2/two/blobs/")) return false;
      response.writeHead(404).end();
      return true;
    };
    await store.push(`${registry.host}/two:1`, { onProgress: (line) => said.push(line) });
    assert.equal(said.filter(({ status }) => status === "Mounted from one").length, 2);
    assert.equal(registry.requests.filter((line) => line.startsWith("PATCH")).length, 1);
  });

  test("all tags", async () => {
    const { store } = await loaded(image("a:1", "x"));
    await store.tag("a:1", `${registry.host}/many:1`);
    await store.tag("a:1", `${registry.host}/many:2`);
    await store.push(`${registry.host}/many`, { allTags: true });
    assert.ok(registry.manifests.has("many:1") && registry.manifests.has("many:2"));
    const name = `${registry.host}/many:latest`;
    await assert.rejects(store.push(name), { code: "NOT_FOUND", message: `tag does not exist: ${name}` });
  });

  for (const kind of ["basic", "bearer"] as const) {
    test(`with ${kind} credentials`, async () => {
      const { store } = await loaded(image("a:1", "x"));
      await store.tag("a:1", `${registry.host}/a:1`);
      registry[kind] = "user:secret";
      const credentials = { username: "user", password: "secret" };
      await store.login(registry.host, credentials);
      await store.push(`${registry.host}/a:1`, { credentials });
      await assert.rejects(store.push(`${registry.host}/a:1`), /no basic auth credentials|unauthorized/);
      await assert.rejects(store.login(registry.host, { ...credentials, password: "no" }), {
        code: "UNAUTHORIZED",
      });
    });
  }

  test("an upload that breaks is taken up where the registry lost it", async () => {
    const { store } = await loaded({
      tags: ["big:1"],
      layers: [tarOf([{ name: "big", data: randomish(20 * 2 ** 20) }])],
    });
    await store.tag("big:1", `${registry.host}/big:1`);
    let breaks = 2;
    registry.fault = (request) => {
      if (request.method !== "PATCH" || Number(request.headers["content-length"]) < 2 ** 20 || breaks <= 0)
        return false;
      if (Number(/^\d+/.exec(String(request.headers["content-range"]))?.[0]) === 0) return false;
      breaks--;
      request.socket.destroy();
      return true;
    };
    await store.push(`${registry.host}/big:1`);
    const starts = registry.requests.filter((line) => line.startsWith("PATCH")).length;
    assert.ok(starts >= 5 && starts <= 7, String(starts));
    assert.equal(await open().store.pull(`${registry.host}/big:1`), (await store.inspect("big:1")).Id);
  });

  test("a registry that wants a part later gets it later", async () => {
    const { store } = await loaded(image("a:1", "x"));
    await store.tag("a:1", `${registry.host}/a:1`);
    let busy = 2;
    registry.fault = (request, response) => {
      if (!/PATCH|PUT/.test(request.method ?? "") || busy-- <= 0) return false;
      request.resume().on("end", () => response.writeHead(429, { "Retry-After": "0" }).end());
      return true;
    };
    await store.push(`${registry.host}/a:1`);
    assert.equal(busy < 0, true);
    assert.ok(registry.manifests.has("a:1"));
  });

  test("a registry that refuses", async () => {
    const { store } = await loaded(image("a:1", "x"));
    await store.tag("a:1", `${registry.host}/a:1`);
    registry.fault = (request, response) => {
      if (request.method !== "POST") return false;
      response
        .writeHead(403)
        .end(JSON.stringify({ errors: [{ code: "DENIED", message: "requested access is denied" }] }));
      return true;
    };
    await assert.rejects(store.push(`${registry.host}/a:1`), {
      message: "denied: requested access is denied",
    });
    await assert.rejects(store.push(`${registry.host}/none:1`), {
      message: `An image does not exist locally with the tag: ${registry.host}/none`,
    });
  });
});

/** Bytes that do not compress, always the same. */
function randomish(size: number): Buffer {
  const data = Buffer.alloc(size);
  let x = 123456789;
  for (let i = 0; i < size; i += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    data.writeInt32LE(x, i);
  }
  return data;
}
