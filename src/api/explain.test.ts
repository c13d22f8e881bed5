import assert from "node:assert/strict";
import { test } from "node:test";
import { conflict } from "../lib/errors.ts";
import { fakeServices, serveForTest } from "./services.fake.ts";

test("explain answers for a request and for a container", async () => {
  const asked: unknown[] = [];
  const services = fakeServices({
    explain: {
      launch: async (request) => {
        asked.push(request.Image);
        return { image: "x", command: ["sh"], steps: [] };
      },
      container: async (ref) => {
        throw conflict(`Container ${ref} is not running`);
      },
    },
  });
  await using server = await serveForTest(services);
  const launch = await server.fetch("POST", "/v1.43/berth/explain", { json: { Image: "busybox" } });
  assert.deepEqual([launch.status, launch.text], [200, '{"image":"x","command":["sh"],"steps":[]}\n']);
  assert.deepEqual(asked, ["busybox"]);
  const empty = await server.fetch("POST", "/berth/explain");
  assert.equal(empty.status, 400);
  const stopped = await server.fetch("GET", "/berth/containers/web/explain");
  assert.deepEqual([stopped.status, stopped.text], [409, '{"message":"Container web is not running"}\n']);
});
