// An application of several services, by Debian's docker-compose: up, scaled, broken, healed, down.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, run, TestDaemon, until } from "../support/daemon.ts";
import { busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

const application = join(import.meta.dirname, "application");
const programs = ["/usr/bin/redis-server", "/usr/bin/redis-cli", realpathSync(process.execPath)];

/** Programs of this machine with the libraries they need, and the application's own files. */
function applicationLayer(): Buffer {
  const libraries = execFileSync("ldd", programs, { encoding: "utf8" });
  const files = new Map<string, string>();
  for (const [, path = ""] of libraries.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) files.set(path.slice(1), path);
  for (const path of programs) files.set(`usr/bin/${path.split("/").at(-1)}`, path);
  for (const name of readdirSync(application)) files.set(`app/${name}`, join(application, name));
  const directories = new Set([...files.keys(), "data/x"].flatMap((name) => parents(name)));
  return tarOf([
    ...[...directories].map((name) => ({ name: `${name}/`, type: "directory" as const, mode: 0o755 })),
    ...[...files].map(([name, path]) => ({ name, mode: 0o755, data: readFileSync(path) })),
    { name: "etc/nsswitch.conf", mode: 0o644, data: "hosts: files dns\n" },
  ]);
}

const parents = (name: string): string[] => {
  const parts = name.split("/").slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
};

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("compose");
  const image = { tags: ["shop:latest"], layers: [busyboxLayer(), applicationLayer()] };
  await daemon.ok(["load"], { input: dockerArchive([image]) });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

async function compose(...args: string[]): Promise<Result> {
  const file = join(application, "docker-compose.yml");
  const result = await run("docker-compose", ["--no-ansi", "-p", "shop", "-f", file, ...args], {
    env: { DOCKER_HOST: daemon.host, COMPOSE_HTTP_TIMEOUT: "30" },
  });
  assert.equal(
    result.code,
    0,
    `docker-compose ${args.join(" ")}: ${result.stderr}${result.stdout}\n${daemon.log}`,
  );
  return result;
}

interface Visit {
  host: string;
  visits: number;
  done: number;
}

async function visit(number = 1): Promise<Visit> {
  const { stdout } = await compose("port", "--index", String(number), "web", "80");
  const answer = await fetch(`http://${stdout.trim().replace("0.0.0.0", "127.0.0.1")}/`, {
    signal: AbortSignal.timeout(5000),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return JSON.parse(await answer.text());
}

test("up, scaled to five, broken and healed, restarted, down", { timeout: 120_000 }, async () => {
  await compose("up", "-d");
  await until("web answers", () =>
    visit().then(
      () => true,
      () => false,
    ),
  );
  const before = (await visit()).visits;
  await until("the worker works", async () => (await visit()).done > 0);
  assert.match((await compose("ps")).stdout, /shop_db_1 .*Up \(healthy\)/);

  await compose("up", "-d", "--scale", "web=5");
  const hosts = new Set<string>();
  for (let number = 1; number <= 5; number++) {
    await until(`web ${number} answers`, () =>
      visit(number).then(
        ({ host }) => !!hosts.add(host),
        () => false,
      ),
    );
  }
  assert.equal(hosts.size, 5);
  const { stdout: found } = await compose("exec", "-T", "worker", "nslookup", "web");
  assert.equal(
    new Set([...found.matchAll(/^Address(?: \d+)?: (\d\S+)$/gm)].map(([, address]) => address)).size >= 5,
    true,
  );

  // The database is killed; its restart policy brings it back, with its data and under its name.
  const visits = (await visit()).visits;
  assert.ok(visits > before);
  const db = (await compose("ps", "-q", "db")).stdout.trim();
  process.kill(Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", db])), "SIGKILL");
  await until("the database is back", () =>
    visit().then(
      (now) => now.visits > visits,
      () => false,
    ),
  );
  assert.equal(await daemon.ok(["inspect", "-f", "{{.RestartCount}}", db]), "1");

  assert.match((await compose("logs", "--tail", "50", "worker")).stdout, /job \d+ for /);
  await compose("restart", "-t", "1", "web");
  await until("web answers again", () =>
    visit(3).then(
      () => true,
      () => false,
    ),
  );
  // The back network is internal: the worker is in it alone and has no way out.
  assert.ok(!(await compose("exec", "-T", "worker", "ip", "route")).stdout.includes("default"));
  await compose("down", "-v", "-t", "1");
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
  assert.equal(await daemon.ok(["network", "ls", "-q", "--filter", "type=custom"]), "");
  assert.equal(await daemon.ok(["volume", "ls", "-q"]), "");
});
