// Builds, pulls, loads, removals and prunes at the same time: what is kept stays whole, what is not goes, and
// `system df` tells of both.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { busyboxImage, dockerArchive, manifestOf, type TestImage, tarOf } from "../support/images.ts";
import { TestRegistry } from "../support/registry.ts";

const ROUNDS = 6;
let daemon: TestDaemon;
let registry: TestRegistry;

const shared = tarOf(
  Array.from({ length: 300 }, (_, i) => ({ name: `shared/${i}`, data: String(i).repeat(500) })),
);
const image = (name: string): TestImage =>
  busyboxImage({
    tags: [`${name}:1`],
    layers: [...busyboxImage().layers, shared, tarOf([{ name, data: name }])],
  });

before(async () => {
  daemon = await TestDaemon.start("busy");
  registry = await TestRegistry.start();
  for (const name of ["one", "two"]) registry.add(`${name}:1`, manifestOf(image(name)));
});
after(async () => {
  await registry.stop();
  await daemon.end();
});

const sizes = async (): Promise<Record<string, string>> => {
  const rows = await daemon.ok(["system", "df", "--format", "{{.Type}}|{{.Size}}"]);
  return Object.fromEntries(rows.split("\n").map((row) => row.split("|")));
};

test("nothing that is needed goes, all else does", { timeout: 300_000 }, async () => {
  const context = join(daemon.directory, "context");
  mkdirSync(context);
  const works: ((round: number) => Promise<unknown>)[] = [
    async (round) => {
      writeFileSync(join(context, "round"), String(round));
      writeFileSync(
        join(context, "Dockerfile"),
        "FROM busybox\nRUN seq 200 > /numbers\nCOPY round /\nRUN cat /round\n",
      );
      await daemon.ok(["build", "-q", "-t", `built:${round}`, context]);
      if (round % 2 === 1) await daemon.ok(["builder", "prune", "-af"]);
    },
    async () => {
      for (const name of ["one", "two"]) await daemon.ok(["pull", "-q", `${registry.host}/${name}:1`]);
      await daemon.ok(["rmi", `${registry.host}/one:1`]);
    },
    async () => {
      await daemon.ok(["load", "-q"], { input: dockerArchive([image("one"), image("three")]) });
      await daemon.ok(["rmi", "one:1"]);
    },
    async () => {
      await daemon.ok(["image", "prune", "-f"]);
      await daemon.ok(["system", "df", "-v"]);
    },
  ];
  await Promise.all(
    works.map(async (work) => {
      for (let round = 0; round < ROUNDS; round++) await work(round);
    }),
  );
  const check = await daemon.berth(["system", "check"]);
  assert.equal(check.code, 0, check.stdout + check.stderr);
  const run = (name: string, ...command: string[]): Promise<string> =>
    daemon.ok(["run", "--rm", "--network", "none", name, ...command]);
  assert.equal(
    await run(`built:${ROUNDS - 1}`, "sh", "-c", "cat /round; wc -l < /numbers"),
    `${ROUNDS - 1}200`,
  );
  assert.equal(await run(`${registry.host}/two:1`, "sh", "-c", "cat /two; ls /shared | wc -l"), "two300");
  assert.equal(await run("three:1", "sh", "-c", "cat /three; ls /shared | wc -l"), "three300");
  await daemon.ok(["tag", "three:1", `${registry.host}/three:1`]);
  await daemon.ok(["push", "-q", `${registry.host}/three:1`]);
});

test("system df counts packed layers, and those that only builds remember once", async () => {
  await daemon.ok(["image", "prune", "-af"]);
  await daemon.ok(["builder", "prune", "-af"]);
  assert.deepEqual(await sizes(), {
    Images: "0B",
    Containers: "0B",
    "Local Volumes": "0B",
    "Build Cache": "0B",
  });
  const directory = (...path: string[]): string => join(daemon.dataRoot, ...path);
  await until(
    "nothing is kept",
    () =>
      readdirSync(directory("layers")).filter((name) => name !== "empty").length === 0 &&
      readdirSync(directory("content", "sha256")).length === 0 &&
      readdirSync(directory("tmp")).length === 0,
  );
  await daemon.ok(["pull", "-q", `${registry.host}/two:1`]);
  const packed = readdirSync(directory("content", "sha256")).reduce(
    (sum, name) => sum + statSync(directory("content", "sha256", name)).size,
    0,
  );
  const plain = Number(await daemon.ok(["image", "inspect", "-f", "{{.Size}}", `${registry.host}/two:1`]));
  const seen = await fetchUsage();
  assert.deepEqual([seen.LayersSize, seen.Images[0]?.Size], [plain + packed, plain + packed]);
  await daemon.ok(["rmi", `${registry.host}/two:1`]);
  await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  const before = await sizes();
  await daemon.ok(["build", "-q", "-t", "built:1", "-"], {
    input: "FROM busybox\nRUN head -c 5000000 /dev/zero > /zeros\n",
  });
  await daemon.ok(["rmi", "built:1"]);
  const after = await sizes();
  assert.equal(after.Images, before.Images);
  assert.equal(after["Build Cache"], "5MB");
});

async function fetchUsage(): Promise<{ LayersSize: number; Images: { Size: number }[] }> {
  const answer = await new Promise<string>((resolve, reject) => {
    get({ socketPath: daemon.socket, path: "/v1.47/system/df" }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
  return JSON.parse(answer);
}
