// What a daemon has loaded that never needed it costs memory for as long as it runs.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

test("a daemon that reached no registry has loaded neither TLS nor a client for WebSocket or HTTP/2", async () => {
  const daemon = new TestDaemon("modules");
  const list = join(daemon.directory, "modules");
  const spy = join(daemon.directory, "spy.cjs");
  writeFileSync(
    spy,
    `if (process.argv.includes("daemon"))
      process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join("\\n")));`,
  );
  process.env.NODE_OPTIONS = `--require ${spy}`;
  try {
    await daemon.up();
    await daemon.ok(["version"]);
    await daemon.down();
    const loaded = readFileSync(list, "utf8").split("\n");
    assert.ok(loaded.includes("NativeModule http"), "the list is that of a daemon");
    const costly =
      /^NativeModule (internal\/deps\/undici|http2|tls|https|webstreams|stream\/web|readline|assert)\b/;
    assert.deepEqual(
      loaded.filter((name) => costly.test(name)),
      [],
    );
  } finally {
    delete process.env.NODE_OPTIONS;
    await daemon.end();
  }
});
