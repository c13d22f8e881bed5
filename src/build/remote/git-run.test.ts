import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { git } from "./git-run.ts";

test("a server that says nothing is given up", async () => {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const home = mkdtempSync(join(tmpdir(), "berth-git-"));
  try {
    const address = `git://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    await assert.rejects(
      git(["ls-remote", address], { directory: home, home, silence: 300 }),
      /git ls-remote failed: the server fell silent/,
    );
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
    rmSync(home, { recursive: true });
  }
});
