import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  busyboxImage,
  hostArchitecture,
  imageId,
  manifestOf,
  sha256,
  type TestImage,
  tarOf,
} from "../../../test/support/images.ts";
import { type Fault, TestRegistry } from "../../../test/support/registry.ts";
import type { State } from "../../state/index.ts";
import type { Progress } from "../types.ts";
import { testStores } from "./stores-testing.ts";

const open = testStores("pull");

let registry: TestRegistry;

beforeEach(async () => {
  registry = await TestRegistry.start();
});

afterEach(() => registry.stop());

const layer = (name: string, size = 1000): Buffer => tarOf([{ name, data: Buffer.alloc(size, name) }]);
const image = (...names: string[]): TestImage => ({ layers: names.map((name) => layer(name)) });

async function checkEmpty(state: State): Promise<void> {
  assert.deepEqual(readdirSync(state.paths.layers), []);
  assert.deepEqual(readdirSync(state.paths.temporary), []);
  assert.deepEqual(readdirSync(join(state.paths.content, "sha256")), []);
}

/** Answers a path once, or as often as said, with something of the test's own. */
function once(path: RegExp, answer: (response: ServerResponse) => void, times = 1): Fault {
  let left = times;
  return (request, response) => {
    if (left === 0 || !path.test(request.url ?? "")) return false;
    left--;
    answer(response);
    return true;
  };
}

describe("pull", () => {
  for (const packing of ["gzip", "zstd", "plain"] as const) {
    test(`an image with ${packing} layers`, async () => {
      const { state, store } = open();
      const digest = registry.add("team/app:v1", manifestOf(busyboxImage(), packing));
      const said: Progress[] = [];
      const name = `${registry.host}/team/app:v1`;
      const id = await store.pull(name, { onProgress: (line) => said.push(line) });
      assert.equal(id, imageId(busyboxImage()));
      const { layers } = await store.resolve(name);
      assert.ok(existsSync(join(layers[0] ?? "", "bin/sh")));
      const inspected = await store.inspect(name);
      assert.deepEqual(inspected.RepoDigests, [`${registry.host}/team/app@${digest}`]);
      assert.equal((await store.inspect(`${registry.host}/team/app@${digest}`)).Id, id);
      const statuses = said.map(({ status }) => status);
      assert.equal(statuses[0], "Pulling from team/app");
      assert.ok(statuses.includes("Pulling fs layer") && statuses.includes("Pull complete"));
      assert.deepEqual(statuses.slice(-2), [
        `Digest: ${digest}`,
        `Status: Downloaded newer image for ${name}`,
      ]);
      assert.deepEqual(readdirSync(state.paths.temporary), []);
    });
  }

  test("again asks for the manifest only; shared layers are not fetched twice", async () => {
    const { store } = open();
    registry.add("a:1", manifestOf(image("x", "y")));
    registry.add("b:1", manifestOf(image("x", "z")));
    await store.pull(`${registry.host}/a:1`);
    registry.requests.length = 0;
    await store.pull(`${registry.host}/a:1`);
    assert.deepEqual(registry.requests, ["GET /v2/a/manifests/1"]);
    registry.requests.length = 0;
    await store.pull(`${registry.host}/b:1`);
    assert.equal(registry.requests.filter((line) => line.includes("/blobs/")).length, 2);
  });

  test("of an index the machine's platform, or the one asked for", async () => {
    const { store } = open();
    const own = manifestOf({ ...image("own"), architecture: hostArchitecture() });
    const other = manifestOf({ ...image("other"), architecture: "s390x" });
    registry.add("x:own", own);
    registry.add("x:other", other);
    const manifests = [
      { ...other.manifest, platform: { os: "linux", architecture: "s390x" } },
      { ...own.manifest, platform: { os: "linux", architecture: hostArchitecture() } },
      { ...own.manifest, platform: { os: "unknown", architecture: "unknown" } },
    ];
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    registry.addManifest("x:multi", mediaType, index);
    const name = `${registry.host}/x:multi`;
    await store.pull(name);
    assert.equal((await store.resolve(name)).platform.architecture, hostArchitecture());
    assert.deepEqual((await store.inspect(name)).RepoDigests, [`${registry.host}/x@${sha256(index)}`]);
    await store.pull(name, { platform: "linux/s390x" });
    assert.equal((await store.resolve(name)).platform.architecture, "s390x");
    await assert.rejects(store.pull(name, { platform: "linux/mips" }), {
      code: "NOT_FOUND",
      message: "no matching manifest for linux/mips in the manifest list entries",
    });
    await assert.rejects(store.pull(`${registry.host}/x:own`, { platform: "linux/mips" }), /does not match/);
  });

  test("by digest, and all tags", async () => {
    const { store } = open();
    const digest = registry.add("x:1", manifestOf(image("one")));
    registry.add("x:2", manifestOf(image("two")));
    const told: string[] = [];
    const onProgress = ({ id, status }: Progress): void => void told.push(`${id ?? ""}|${status}`);
    const name = `${registry.host}/x`;
    const id = await store.pull(`${name}@${digest}`, { onProgress });
    assert.equal(told[0], `${name}@${digest}|Pulling from x`);
    assert.deepEqual((await store.inspect(id)).RepoTags, []);
    told.length = 0;
    await store.pull(name, { allTags: true, onProgress });
    const states = told.filter((line) => line.startsWith("|Status"));
    assert.deepEqual(states, [`|Status: Downloaded newer image for ${name}`]);
    assert.equal(
      (await store.list({ filters: { reference: ["*/x"] } })).flatMap(({ RepoTags }) => RepoTags).length,
      2,
    );
  });

  test("two pulls at once fetch each layer once", async () => {
    const { store } = open();
    registry.add("x:1", manifestOf(image("a", "b", "c", "d")));
    await Promise.all([store.pull(`${registry.host}/x:1`), store.pull(`${registry.host}/x:1`)]);
    const layers = registry.requests.filter((line) => line.includes("/blobs/"));
    assert.equal(new Set(layers).size, 5);
    assert.ok(layers.length <= 6);
  });

  test("the same layer twice in one image", async () => {
    const { store } = open();
    registry.add("x:1", manifestOf(image("a", "b", "a")));
    const id = await store.pull(`${registry.host}/x:1`);
    assert.equal((await store.resolve(id)).layers.length, 3);
  });
});

describe("credentials", () => {
  for (const kind of ["basic", "bearer"] as const) {
    test(kind, async () => {
      const { store } = open();
      registry[kind] = "user:pass:word";
      registry.add("x:1", manifestOf(image("a")));
      const name = `${registry.host}/x:1`;
      await store.pull(name, { credentials: { username: "user", password: "pass:word" } });
      await assert.rejects(
        store.pull(`${registry.host}/y:1`, { credentials: { username: "user", password: "wrong" } }),
      );
      await assert.rejects(store.pull(`${registry.host}/y:1`), /no basic auth credentials|unauthorized/);
    });
  }

  test("are not sent where a redirect leads", async () => {
    const other = await TestRegistry.start();
    const { store } = open();
    registry.basic = "user:secret";
    const parts = manifestOf(image("a"));
    registry.add("x:1", parts);
    let leaked: string | undefined = "not asked";
    other.fault = (request, response) => {
      leaked = request.headers.authorization;
      response.end(parts.blobs.get(`sha256:${request.url?.slice(1)}`));
      return true;
    };
    registry.fault = (request, response) => {
      const digest = /blobs\/sha256:(.*)/.exec(request.url ?? "")?.[1];
      if (!digest) return false;
      response.writeHead(307, { Location: `http://${other.host}/${digest}` });
      response.end();
      return true;
    };
    await store.pull(`${registry.host}/x:1`, { credentials: { username: "user", password: "secret" } });
    await other.stop();
    assert.equal(leaked, undefined);
  });
});

test("mirrors do not learn the registry's credentials", async () => {
  const mirror = await TestRegistry.start();
  const { store } = open({ mirrors: { [registry.host]: [`http://${mirror.host}`] } });
  mirror.basic = "user:secret";
  registry.basic = "user:secret";
  let told = false;
  mirror.fault = (request) => {
    told ||= request.headers.authorization !== undefined;
    return false;
  };
  registry.add("x:1", manifestOf(image("own")));
  mirror.add("x:1", manifestOf(image("own")));
  await store.pull(`${registry.host}/x:1`, { credentials: { username: "user", password: "secret" } });
  await mirror.stop();
  assert.equal(told, false);
});

test("mirrors are asked first, and passed over when they cannot serve", async () => {
  const mirror = await TestRegistry.start();
  const { store } = open({ mirrors: { [registry.host]: [`http://${mirror.host}`] } });
  mirror.add("x:1", manifestOf(image("mirrored")));
  registry.add("x:2", manifestOf(image("own")));
  await store.pull(`${registry.host}/x:1`);
  assert.equal(registry.requests.length, 0);
  await store.pull(`${registry.host}/x:2`);
  await mirror.stop();
  registry.add("x:3", manifestOf(image("later")));
  await store.pull(`${registry.host}/x:3`);
});

describe("faults", () => {
  const big = (): TestImage => ({
    layers: [
      tarOf([
        { name: "big", data: Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251)) },
      ]),
    ],
  });

  test("a broken connection is taken up again where it broke", async () => {
    const { store } = open();
    const parts = manifestOf(big(), "plain");
    registry.add("x:1", parts);
    const [digest = ""] = [...parts.blobs.keys()].filter(
      (key) => (parts.blobs.get(key)?.length ?? 0) > 100_000,
    );
    const data = parts.blobs.get(digest) ?? Buffer.alloc(0);
    const ranges: (string | undefined)[] = [];
    let breaks = 3;
    registry.fault = (request, response) => {
      if (!request.url?.includes(digest)) return false;
      ranges.push(request.headers.range);
      if (breaks-- <= 0) return false;
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { "Content-Length": data.length - from });
      response.write(data.subarray(from, from + 50_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    await store.pull(`${registry.host}/x:1`);
    assert.deepEqual(ranges, [undefined, "bytes=50000-", "bytes=100000-", "bytes=150000-"]);
  });

  test("a registry that cannot begin in the middle", async () => {
    const { store } = open();
    const parts = manifestOf(big(), "plain");
    registry.add("x:1", parts);
    const [digest = ""] = [...parts.blobs.keys()].filter(
      (key) => (parts.blobs.get(key)?.length ?? 0) > 100_000,
    );
    const data = parts.blobs.get(digest) ?? Buffer.alloc(0);
    let breaks = 1;
    registry.fault = (request, response) => {
      if (!request.url?.includes(digest)) return false;
      response.writeHead(200, { "Content-Length": data.length });
      if (breaks-- > 0)
        response.write(data.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 20));
      else response.end(data);
      return true;
    };
    const id = await store.pull(`${registry.host}/x:1`);
    const [root = ""] = (await store.resolve(id)).layers;
    assert.equal(readFileSync(join(root, "big")).length, 300_000);
  });

  test("500 and 429 are tried again, not for ever", async () => {
    const { state, store } = open();
    registry.add("x:1", manifestOf(image("a")));
    const started = performance.now();
    registry.fault = once(/manifests/, (response) => response.writeHead(429, { "Retry-After": "1" }).end());
    await store.pull(`${registry.host}/x:1`);
    assert.ok(performance.now() - started > 900);
    await store.remove(`${registry.host}/x:1`);
    registry.fault = once(
      /manifests/,
      (response) => response.writeHead(429, { "Retry-After": "0" }).end(),
      9,
    );
    await assert.rejects(store.pull(`${registry.host}/x:1`), {
      message: "toomanyrequests: too many requests",
    });
    registry.fault = once(/blobs/, (response) => response.writeHead(500).end(), 2);
    await store.pull(`${registry.host}/x:1`);
    await store.remove(`${registry.host}/x:1`);
    registry.fault = once(/blobs/, (response) => response.writeHead(500).end("sorry"), 1000);
    await assert.rejects(store.pull(`${registry.host}/x:1`), /unexpected HTTP status: 500: sorry/);
    await checkEmpty(state);
    registry.fault = () => false;
    await store.pull(`${registry.host}/x:1`);
  });

  const refusals: [string, Fault, RegExp][] = [
    [
      "401 for ever",
      once(/./, (r) => r.writeHead(401, { "WWW-Authenticate": 'Basic realm="x"' }).end(), 1000),
      /no basic auth|401/,
    ],
    [
      "a redirect loop",
      once(/./, (r) => r.writeHead(302, { Location: "/v2/again" }).end(), 1000),
      /stopped after 8 redirects/,
    ],
    [
      "a redirect to a file",
      once(/./, (r) => r.writeHead(302, { Location: "file:///etc/passwd" }).end(), 1000),
      /redirect/,
    ],
    ["a manifest without end", once(/manifests/, (r) => void endless(r)), /more than 4194304 bytes/],
    ["a manifest that is not JSON", once(/manifests/, (r) => r.end("<html>")), /invalid manifest/],
    ["a blob without end", once(/blobs/, (r) => void endless(r), 1000), /larger than|more than/],
  ];
  for (const [name, fault, message] of refusals) {
    test(name, async () => {
      const { state, store } = open();
      registry.add("x:1", manifestOf(image("a")));
      registry.fault = fault;
      await assert.rejects(store.pull(`${registry.host}/x:1`), { message });
      await checkEmpty(state);
      registry.fault = () => false;
      await store.pull(`${registry.host}/x:1`);
    });
  }

  test("bytes that are not what their digest says", async () => {
    const { state, store } = open();
    const parts = manifestOf(image("a", "b"));
    registry.add("x:1", parts);
    for (const [digest, data] of parts.blobs) {
      if (digest === parts.manifest.digest) continue;
      const wrong = Buffer.from(data);
      wrong[wrong.length >> 1] = (wrong[wrong.length >> 1] ?? 0) ^ 1;
      registry.blobs.set(digest, wrong);
      await assert.rejects(
        store.pull(`${registry.host}/x:1`),
        /verification failed|gzip|wrong|invalid/,
        digest,
      );
      await checkEmpty(state);
      registry.blobs.set(digest, data);
    }
  });

  test("a manifest that lies about its digest", async () => {
    const { store } = open();
    const { manifest } = manifestOf(image("a"));
    registry.manifests.set(`x@${manifest.digest}`, {
      mediaType: manifest.mediaType,
      body: Buffer.from("{}"),
    });
    await assert.rejects(store.pull(`${registry.host}/x@${manifest.digest}`), /manifest verification failed/);
  });

  test("no such tag, no such registry", async () => {
    const { store } = open();
    await assert.rejects(store.pull(`${registry.host}/x:nope`), {
      code: "NOT_FOUND",
      message: `manifest for ${registry.host}/x:nope not found: manifest unknown: manifest unknown`,
    });
    await assert.rejects(store.pull(`${registry.host}/none`, { allTags: true }), {
      code: "NOT_FOUND",
      message: /^repository .*\/none not found: /,
    });
    await assert.rejects(store.pull("127.0.0.1:1/x"), /ECONNREFUSED|connection refused/);
  });

  test("a pull that is given up ends at once and leaves nothing", async () => {
    const { state, store } = open();
    registry.add("x:1", manifestOf(image("a")));
    const abort = new AbortController();
    registry.fault = once(/blobs/, () => setTimeout(() => abort.abort(), 50), 1000);
    await assert.rejects(store.pull(`${registry.host}/x:1`, { signal: abort.signal }), {
      name: "AbortError",
    });
    registry.fault = () => false;
    await store.settled();
    await checkEmpty(state);
  });
});

function endless(response: ServerResponse): void {
  const block = Buffer.alloc(65536, 32);
  const more = (): void => {
    while (!response.destroyed && response.write(block));
  };
  response.on("drain", more);
  more();
}
