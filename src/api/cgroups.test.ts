import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeServices, serveForTest } from "./services.fake.ts";

test("control groups by path, with slashes and limits", async () => {
  const seen: unknown[] = [];
  const services = fakeServices({
    cgroups: {
      create: async (path, limits) => {
        seen.push([path, limits]);
        return { Path: path, Warnings: [] };
      },
      put: async (path, pids) => void seen.push([path, pids]),
      remove: async (path, options) => void seen.push([path, options]),
    },
  });
  await using server = await serveForTest(services);
  const made = await server.fetch("POST", "/berth/cgroups", { json: { Path: "/a/b", Memory: 7 } });
  assert.deepEqual([made.status, made.text], [201, '{"Path":"/a/b","Warnings":[]}\n']);
  const put = await server.fetch("POST", "/berth/cgroups/%2Fa%2Fb/processes", { json: { Pids: [1, 2] } });
  assert.equal(put.status, 204);
  assert.equal((await server.fetch("DELETE", "/berth/cgroups/a/b?force=1")).status, 204);
  assert.deepEqual(seen, [
    ["/a/b", { Memory: 7 }],
    ["a/b", [1, 2]],
    ["a/b", { force: true }],
  ]);
  const wrong = await server.fetch("POST", "/berth/cgroups/a/processes", { json: { Pids: "1" } });
  assert.equal(wrong.status, 400);
});
