import assert from "node:assert/strict";
import { test } from "node:test";
import { conflict, notModified } from "../lib/errors.ts";
import { fakeServices, serveForTest } from "./services.fake.ts";

test("_ping answers with what clients negotiate by", async () => {
  await using server = await serveForTest(fakeServices());
  const { status, headers, text } = await server.fetch("GET", "/_ping");
  assert.equal(status, 200);
  assert.equal(text, "OK");
  assert.equal(headers["api-version"], "1.50");
  assert.equal(headers["builder-version"], "1");
  assert.equal(headers["docker-experimental"], "false");
  assert.equal(headers.ostype, "linux");
  assert.equal(headers.swarm, "inactive");
  assert.equal(headers["cache-control"], "no-cache, no-store, must-revalidate");
  assert.match(String(headers.server), /^Berth\//);
  const head = await server.fetch("HEAD", "/v1.30/_ping");
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "0"]);
});

test("it is told of every request, when it comes and when it was answered", async () => {
  const told: string[] = [];
  const services = fakeServices({
    containers: {
      start: async () => {
        told.push("start");
      },
    },
  });
  await using server = await serveForTest(services, () => told.push("told"));
  await server.fetch("POST", "/containers/one/start");
  assert.deepEqual(told, ["told", "start", "told"]);
});

test("unknown routes and versions are refused with dockerd's words", async () => {
  await using server = await serveForTest(fakeServices());
  const unknown = await server.fetch("GET", "/nothing");
  assert.deepEqual([unknown.status, unknown.text], [404, '{"message":"page not found"}\n']);
  assert.equal(unknown.headers["content-type"], "application/json");
  assert.equal((await server.fetch("POST", "/_ping")).status, 404);
  const tooNew = await server.fetch("GET", "/v1.99/version");
  assert.equal(tooNew.status, 400);
  assert.match(tooNew.text, /"client version 1.99 is too new. Maximum supported API version is 1.50"/);
  const tooOld = await server.fetch("GET", "/v1.1/version");
  assert.match(tooOld.text, /client version 1.1 is too old. Minimum supported API version is 1.24, please/);
});

test("an engine's errors become statuses and messages", async () => {
  const services = fakeServices({
    containers: {
      start: async () => {
        throw notModified("running");
      },
      rename: async () => {
        throw conflict("taken");
      },
      pause: async () => {
        throw new TypeError("oops");
      },
    },
  });
  await using server = await serveForTest(services);
  const unchanged = await server.fetch("POST", "/containers/a/start");
  assert.deepEqual([unchanged.status, unchanged.text], [304, ""]);
  const taken = await server.fetch("POST", "/containers/a/rename?name=b");
  assert.deepEqual([taken.status, taken.text], [409, '{"message":"taken"}\n']);
  const broken = await server.fetch("POST", "/containers/a/pause");
  assert.deepEqual([broken.status, broken.text], [500, '{"message":"oops"}\n']);
});

test("bodies must be JSON of a bounded size", async () => {
  const services = fakeServices({ containers: { create: async () => ({ Id: "x", Warnings: [] }) } });
  await using server = await serveForTest(services);
  const path = "/v1.43/containers/create?name=n";
  const created = await server.fetch("POST", path, { json: { Image: "i" } });
  assert.deepEqual([created.status, created.text], [201, '{"Id":"x","Warnings":[]}\n']);
  const wrongType = await server.fetch("POST", path, {
    body: "{}",
    headers: { "Content-Type": "text/plain" },
  });
  assert.equal(wrongType.status, 400);
  assert.match(wrongType.text, /Content-Type specified \(text\/plain\) must be 'application\/json'/);
  const json = { "Content-Type": "application/json" };
  const malformed = await server.fetch("POST", path, { body: "{", headers: json });
  assert.equal(malformed.status, 400);
  assert.match(malformed.text, /invalid JSON/);
  const huge = await server.fetch("POST", path, { body: Buffer.alloc(100e6, 32), headers: json });
  assert.deepEqual([huge.status, huge.text], [413, '{"message":"http: request body too large"}\n']);
});

test("swarm routes answer as a machine in no swarm", async () => {
  await using server = await serveForTest(fakeServices());
  const { status, text } = await server.fetch("GET", "/v1.41/nodes");
  assert.equal(status, 503);
  assert.match(text, /This node is not a swarm manager/);
});
