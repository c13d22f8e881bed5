import assert from "node:assert/strict";
import { test } from "node:test";
import { forward } from "./forward.ts";

test("a server that the host has no way to answers nothing, and ends nobody", async () => {
  // The kernel refuses to connect to it, as where there is no route; nothing is sent.
  for (const overTcp of [false, true])
    assert.equal(await forward(Buffer.alloc(17), ["255.255.255.255"], overTcp), null);
});
