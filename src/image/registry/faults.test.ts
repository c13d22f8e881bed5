// Registries that serve what is odd, hostile or endless.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { damaged, deep, devices, escapes } from "../../../test/support/hostile.ts";
import { imageConfig, manifestOf, sha256, type TestImage, tarOf } from "../../../test/support/images.ts";
import { TestRegistry } from "../../../test/support/registry.ts";
import { removeTree } from "../../lib/remove-tree.ts";
import { openState, type State } from "../../state/index.ts";
import { ImageStore } from "../store.ts";

const base = mkdtempSync(join(tmpdir(), "berth-faults-"));
after(() => removeTree(base));
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const image = (name: string): TestImage => ({ layers: [tarOf([{ name, data: name }])] });

let registry: TestRegistry;
let state: State;
let store: ImageStore;

beforeEach(async () => {
  registry = await TestRegistry.start();
  state = openState(mkdtempSync(join(base, "root-")));
  store = new ImageStore({ state, limits: { bytes: 64 * 2 ** 20, entries: 10_000, reserve: 0 } });
});

afterEach(async () => {
  await registry.stop();
  store.close();
  await store.settled();
  state.close();
});

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const blob = (mediaType: string, data: Buffer) => {
  registry.blobs.set(sha256(data), data);
  return { mediaType, digest: sha256(data), size: data.length };
};
const configOf = (of: TestImage) => blob("application/vnd.oci.image.config.v1+json", imageConfig(of));
const pull = (name: string): Promise<string> => store.pull(`${registry.host}/${name}`);

/** A pull fails so, leaves nothing, and keeps no other from succeeding. */
async function refused(name: string, message: RegExp): Promise<void> {
  await leavesNothing(name, message);
  registry.fault = () => false;
  registry.add("sound:1", manifestOf(image("sound")));
  await pull("sound:1");
  await store.remove(`${registry.host}/sound:1`);
}

async function leavesNothing(name: string, message: RegExp): Promise<void> {
  await assert.rejects(pull(name), { message });
  await store.settled();
  for (const directory of [state.paths.layers, state.paths.temporary, join(state.paths.content, "sha256")])
    assert.deepEqual(readdirSync(directory), []);
}

describe("manifests", () => {
  test("of an artifact", async () => {
    const config = blob("application/vnd.oci.empty.v1+json", Buffer.from("{}"));
    const subject = manifestOf(image("a")).manifest;
    const body = json({
      schemaVersion: 2,
      mediaType: manifestType,
      artifactType: "text/x",
      config,
      layers: [],
      subject,
    });
    registry.addManifest("x:1", manifestType, body);
    await refused("x:1", /this is an artifact, not an image that can run/);
  });

  test("of an image with a subject, which goes on bit for bit", async () => {
    const parts = manifestOf(image("a"));
    registry.add("x:0", parts);
    const plain = JSON.parse(String(parts.blobs.get(parts.manifest.digest)));
    const digest = registry.addManifest("x:1", manifestType, json({ ...plain, subject: parts.manifest }));
    await pull("x:1");
    await store.tag(`${registry.host}/x:1`, `${registry.host}/y:1`);
    await store.push(`${registry.host}/y:1`);
    assert.ok(registry.manifests.has(`y@${digest}`));
  });

  test("with layers of an unknown kind", async () => {
    const layers = [blob("application/x-squashfs", Buffer.from("hsqs"))];
    registry.addManifest(
      "x:1",
      manifestType,
      json({ schemaVersion: 2, mediaType: manifestType, config: configOf(image("a")), layers }),
    );
    await refused("x:1", /unsupported layer media type: application\/x-squashfs/);
  });

  test("of an unknown kind, and of the first schema", async () => {
    registry.addManifest(
      "x:1",
      "application/x-new",
      json({ schemaVersion: 3, mediaType: "application/x-new" }),
    );
    await refused("x:1", /unsupported manifest media type: application\/x-new/);
    registry.addManifest(
      "x:2",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      json({ schemaVersion: 1 }),
    );
    await refused("x:2", /schema version 1 are no longer supported/);
  });

  test("of a hundred megabytes", async () => {
    registry.addManifest("x:1", manifestType, Buffer.alloc(100_000_000, 32));
    await refused("x:1", /more than 4194304 bytes/);
  });

  const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
  test("an index that contains itself", async () => {
    const index = json({
      schemaVersion: 2,
      mediaType: indexType,
      manifests: [{ mediaType: indexType, digest: sha256("x"), size: 200, platform }],
    });
    registry.addManifest("x:1", indexType, index);
    // Whatever is asked for is the same again.
    registry.fault = (request, response) => {
      if (!request.url?.includes("/manifests/")) return false;
      response.writeHead(200, { "Content-Type": indexType }).end(index);
      return true;
    };
    await refused("x:1", /manifest verification failed/);
  });

  test("indexes in indexes without end", async () => {
    let inner = json({ schemaVersion: 2, mediaType: indexType, manifests: [] });
    for (let depth = 0; depth < 20; depth++) {
      registry.addManifest(`x:${depth}`, indexType, inner);
      const entry = { mediaType: indexType, digest: sha256(inner), size: inner.length, platform };
      inner = json({ schemaVersion: 2, mediaType: indexType, manifests: [entry] });
    }
    await refused("x:19", /nested more than 4 deep/);
  });
});

describe("foreign layers", () => {
  test("come from where they are said to be, taken up again where that broke", async () => {
    const of = image("f".repeat(100));
    const packed = gzipSync(of.layers[0] ?? Buffer.alloc(0));
    const ranges: string[] = [];
    const elsewhere = createServer((request, response) => {
      const { range = "" } = request.headers;
      ranges.push(range);
      const from = Number(/\d+/.exec(range)?.[0] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { "Content-Length": packed.length - from });
      if (from > 0) response.end(packed.subarray(from));
      else response.write(packed.subarray(0, 50), () => setImmediate(() => response.destroy()));
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/layer`;
    const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const layers = [{ mediaType, digest: sha256(packed), size: packed.length, urls: [url] }];
    registry.addManifest(
      "x:1",
      manifestType,
      json({ schemaVersion: 2, mediaType: manifestType, config: configOf(of), layers }),
    );
    await pull("x:1");
    assert.deepEqual(ranges, ["", "bytes=50-"]);
    elsewhere.close();
    elsewhere.closeAllConnections();
  });

  test("that are nowhere", async () => {
    const layers = [
      {
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: sha256("x"),
        size: 9,
        urls: ["ftp://x/y"],
      },
    ];
    registry.addManifest(
      "x:1",
      manifestType,
      json({ schemaVersion: 2, mediaType: manifestType, config: configOf(image("a")), layers }),
    );
    await refused("x:1", /blob unknown/);
  });
});

describe("conversations", () => {
  test("a token that is never good enough", async () => {
    registry.add("x:1", manifestOf(image("a")));
    registry.fault = (request, response) => {
      if (request.url?.startsWith("/token")) response.end('{"token":"no"}');
      else unauthorized(response, `http://${registry.host}/token`);
      return true;
    };
    // As no such thing, for a client that is told 401 asks for a password.
    await assert.rejects(pull("x:1"), { code: "NOT_FOUND" });
    await refused("x:1", /^pull access denied for .*: unauthorized: authentication required$/);
    assert.ok(registry.requests.length < 40, String(registry.requests.length));
  });

  test("a token without end, and one that leads on for ever", async () => {
    registry.add("x:1", manifestOf(image("a")));
    registry.fault = (request, response) => {
      if (request.url?.startsWith("/token")) endless(response);
      else unauthorized(response, `http://${registry.host}/token`);
      return true;
    };
    await refused("x:1", /more than 4194304 bytes/);
    registry.fault = (request, response) => {
      if (request.url?.startsWith("/token")) response.writeHead(307, { Location: "/token" }).end();
      else unauthorized(response, `http://${registry.host}/token`);
      return true;
    };
    await refused("x:1", /stopped after 8 redirects/);
  });

  test("a list of tags that goes on for ever", async () => {
    registry.fault = (request, response) => {
      if (!request.url?.includes("/tags/list")) return false;
      response.setHeader("Link", `</v2/x/tags/list?n=1>; rel="next"`);
      response.end('{"tags":[]}');
      return true;
    };
    await assert.rejects(store.pull(`${registry.host}/x`, { allTags: true }), /the list of tags has no end/);
  });

  test("a registry that dies in the middle of a layer, every time", { timeout: 60_000 }, async () => {
    registry.add("x:1", manifestOf(image("a")));
    registry.fault = (request, response) => {
      const data = registry.blobs.get(request.url?.split("/blobs/")[1] ?? "");
      // The configuration arrives.
      if (!data || data[0] === 0x7b) return false;
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, 20), () => setImmediate(() => response.destroy()));
      return true;
    };
    await refused("x:1", /^the connection broke while sha256:\S+ was fetched: /);
  });
});

describe("layers", () => {
  test("that are hostile, in gzip and zstd", { timeout: 120_000 }, async () => {
    const hostile = [...escapes({ directory: base }), ...devices(), ...damaged(), deep()];
    for (const [i, layer] of hostile.entries()) {
      registry.add("x:1", manifestOf({ layers: [layer.archive] }, i % 2 === 0 ? "gzip" : "zstd"));
      if (layer.refused) await leavesNothing("x:1", /^Error processing tar file: /);
      else {
        await pull("x:1");
        await store.remove(`${registry.host}/x:1`);
      }
    }
    assert.deepEqual(
      readdirSync(base).filter((name) => !name.startsWith("root-")),
      [],
    );
  });

  for (const packing of ["gzip", "zstd"] as const) {
    test(`that are bombs, in ${packing}`, async () => {
      registry.add(
        "x:1",
        manifestOf({ layers: [tarOf([{ name: "zeros", data: Buffer.alloc(100 * 2 ** 20) }])] }, packing),
      );
      await refused("x:1", /larger than 67108864 bytes/);
      const many = tarOf(Array.from({ length: 20_000 }, (_, i) => ({ name: `f${i}` })));
      registry.add("x:2", manifestOf({ layers: [many] }, packing));
      await refused("x:2", /more than 10000 entries/);
    });
  }
});

function unauthorized(response: ServerResponse, realm: string): void {
  response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}",service="x"` }).end();
}

function endless(response: ServerResponse): void {
  const block = Buffer.alloc(65536, 32);
  const more = (): void => {
    while (!response.destroyed && response.write(block));
  };
  response.on("drain", more);
  more();
}
