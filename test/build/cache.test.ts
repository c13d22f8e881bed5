import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
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

test("bounds and filters, from both command lines", async () => {
  const only = async (name: string): Promise<void> => {
    await mustBuild(daemon, { Dockerfile: `FROM busybox\nRUN head -c 50000 /dev/zero > /${name}` });
    await daemon.ok(["image", "prune", "-f"]);
  };
  const kept = async (): Promise<string[]> =>
    (await cache()).map(({ Description }) => /\/(\w+)$/.exec(String(Description))?.[1] ?? "").sort();
  await call("POST", "/v1.47/build/prune?all=1");
  for (const name of ["a", "b", "c", "d"]) await only(name);
  const shown = await daemon.ok(["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Size}}"]);
  assert.match(shown, /^Build Cache 4 200kB$/m);
  await daemon.ok(["builder", "prune", "-f", "--keep-storage", "160kb"]);
  assert.deepEqual(await kept(), ["b", "c", "d"]);
  const prune = (...args: string[]) => daemon.berth(["builder", "prune", "-f", ...args]);
  assert.match((await prune("--max-used-space", "110kb")).stdout, /Total reclaimed space: 50kB/);
  assert.deepEqual(await kept(), ["c", "d"]);
  // There is a megabyte free; of a disk that is too small all but what is to stay goes.
  await prune("--min-free-space", "1mb");
  assert.deepEqual(await kept(), ["c", "d"]);
  await prune("--min-free-space", "900pb", "--reserved-space", "60kb");
  assert.deepEqual(await kept(), ["d"]);
  for (const filter of [
    "until=1h",
    "type=exec.cachemount",
    "shared=true",
    "private=false",
    "parent=x",
    "id=none",
  ])
    await daemon.ok(["builder", "prune", "-f", "--filter", filter]);
  assert.deepEqual(await kept(), ["d"]);
  const [{ ID = "" } = {}] = await cache();
  await daemon.ok(["builder", "prune", "-f", "--filter", `id=${ID}`, "--filter", "private=true"]);
  assert.deepEqual(await kept(), []);
  for (const [filter, message] of [
    ["colour=red", /invalid filter 'colour'/i],
    ["until=soon", /"soon"/],
  ] as const) {
    const refused = await daemon.docker(["builder", "prune", "-f", "--filter", filter]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, message);
  }
});

test("what is too much or too old goes by itself, and is told", async () => {
  const only = async (name: string): Promise<void> => {
    const input = `FROM busybox\nRUN head -c 50000 /dev/zero > /${name}`;
    const built = await daemon.berth(["build", "-o", "type=tar,dest=/dev/null", "-"], { input });
    assert.equal(built.code, 0, built.stderr);
  };
  const kept = async (): Promise<string> => (await cache()).map(({ Description }) => Description).join();
  await call("POST", "/v1.47/build/prune?all=1");
  for (const name of ["first", "second"]) await only(name);
  const shown = await daemon.berth(["builder", "du"]);
  assert.match(shown.stdout, /true +50kB +.*head -c 50000 \/dev\/zero > \/second/);
  assert.match(shown.stdout, /^Reclaimable: 100kB\nTotal: 100kB$/m);
  await daemon.down();
  await daemon.up("--build-cache-size", "60kb");
  await daemon.berth(["build", "-q", "-"], { input: "FROM busybox" });
  await until("the older one is gone", async () => !(await kept()).includes("/first"));
  assert.match(await kept(), /second/);
  const pruned = await daemon.berth(["builder", "prune", "-f", "--keep-storage", "10kb"]);
  assert.match(pruned.stdout, /Total reclaimed space: 50kB/);
  await only("third");
  await daemon.down();
  await daemon.up("--build-cache-age", "1ms");
  await daemon.berth(["build", "-q", "-"], { input: "FROM busybox" });
  await until("all is gone", async () => (await kept()) === "");
  const wrong = await daemon.berth(["daemon", "--build-cache-size", "much"]);
  assert.match(wrong.stderr, /invalid --build-cache-size much/);
});
