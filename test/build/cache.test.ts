import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-cache");
});
after(() => daemon.end());

function call(method: string, path: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: daemon.socket, method, path }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve(JSON.parse(Buffer.concat(chunks).toString()));
    });
    sent.on("error", reject);
    sent.end();
  });
}

const cache = async (): Promise<Record<string, unknown>[]> =>
  (await call("GET", "/v1.47/system/df?type=build-cache")).BuildCache as Record<string, unknown>[];

const Dockerfile = `FROM busybox
RUN --mount=type=cache,target=/c head -c 5000 /dev/zero > /c/kept
RUN head -c 100000 /dev/zero > /zeros
`;

test("the cache is shown and pruned; images keep what is theirs", async () => {
  await mustBuild(daemon, { Dockerfile }, ["-t", "pruned"]);
  const items = await cache();
  const zeros = items.find(({ Description }) => String(Description).includes("/zeros"));
  assert.deepEqual(
    [zeros?.Size, zeros?.Shared, zeros?.InUse, zeros?.Type],
    [100_000, true, false, "regular"],
  );
  const mount = items.find(({ Type }) => Type === "exec.cachemount");
  assert.ok(Number(mount?.Size) >= 5000);

  const kept = await call("POST", "/v1.47/build/prune?filters=%7B%22until%22%3A%5B%221h%22%5D%7D");
  assert.deepEqual(kept, { CachesDeleted: [], SpaceReclaimed: 0 });
  const first = await call("POST", "/v1.47/build/prune");
  assert.ok(Number(first.SpaceReclaimed) >= 5000 && Number(first.SpaceReclaimed) < 100_000);
  assert.deepEqual(readdirSync(join(daemon.dataRoot, "build-cache")), []);
  assert.equal(await daemon.ok(["run", "--rm", "pruned", "sh", "-c", "wc -c < /zeros"]), "100000");
  // Still known, since an image has the layer anyway.
  assert.match(await mustBuild(daemon, { Dockerfile }), /Using cache/);

  await daemon.ok(["rmi", "pruned"]);
  const second = await call("POST", "/v1.47/build/prune");
  assert.ok(Number(second.SpaceReclaimed) >= 100_000, JSON.stringify(second));
  assert.deepEqual(await cache(), []);
  assert.doesNotMatch(await mustBuild(daemon, { Dockerfile }), /Using cache/);
  await call("POST", "/v1.47/build/prune?all=1");
});

test("what is to stay stays, the oldest goes first", async () => {
  for (const name of ["old", "new"]) {
    await mustBuild(daemon, { Dockerfile: `FROM busybox\nRUN head -c 50000 /dev/zero > /${name}` });
    await daemon.ok(["image", "prune", "-f"]);
  }
  await call("POST", "/v1.47/build/prune?keep-storage=60000");
  const left = (await cache()).map(({ Description }) => String(Description));
  assert.equal(left.length, 1);
  assert.match(left[0] ?? "", /\/new$/);
  assert.equal(existsSync(join(daemon.dataRoot, "tmp")), true);
});
