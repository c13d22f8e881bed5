import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { fakeAttachment, fakeServices, serveForTest } from "./services.fake.ts";

test("attach over a WebSocket", async () => {
  const attachment = fakeAttachment();
  await using server = await serveForTest(fakeServices({ containers: { attach: async () => attachment } }));
  const path = "/v1.43/containers/a/attach/ws?stream=1&stdin=1&stdout=1&stderr=1";
  const client = new WebSocket(`ws+unix://${server.socketPath}:${path}`);
  const received: Buffer[] = [];
  client.on("message", (data: Buffer, binary) => {
    assert.ok(binary);
    received.push(data);
  });
  await once(client, "open");
  client.send("typed");
  attachment.emit("stdout", "one\n");
  attachment.emit("stderr", "two\n");
  attachment.end();
  await once(client, "close");
  assert.equal(Buffer.concat(received).toString(), "one\ntwo\n");
  assert.equal(Buffer.concat(attachment.input).toString(), "typed");
  await attachment.closed;

  const plain = await server.fetch("GET", path);
  assert.deepEqual([plain.status, plain.text], [400, '{"message":"not a WebSocket request"}\n']);
});
