// The first containers of a daemon that have a network, all at once: bridge and rules are made for them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("first");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

test("several at once wait until bridge and rules are there", async () => {
  const docker = new Docker({ socketPath: daemon.socket });
  const life = async (HostConfig: Docker.HostConfig): Promise<void> => {
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["true"], HostConfig });
    await container.start();
    await container.wait();
    await container.remove();
  };
  // A daemon that has run some starts containers faster than rules are loaded.
  for (let count = 0; count < 50; count++) await life({ NetworkMode: "none" });
  const published = { PortBindings: { "80/tcp": [{ HostPort: "" }] } };
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let count = 0; count < 3; count++) await life(published);
    }),
  );
});
