// An application of several services, by Debian's docker-compose: up, scaled, broken, healed, down.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, run, TestDaemon, until } from "../support/daemon.ts";
import { application, loadApplication } from "./application.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("compose");
  await loadApplication(daemon);
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
  // The name has all five addresses, each of them first in its turn.
  const firsts = new Set<string>();
  for (let ask = 0; ask < 5; ask++) {
    const { stdout } = await compose("exec", "-T", "worker", "nslookup", "web");
    const answers = stdout.slice(stdout.indexOf("\n\n"));
    const found = [...answers.matchAll(/^Address(?: \d+)?: (\S+)$/gm)].map(([, address = ""]) => address);
    assert.equal(new Set(found).size, 5, stdout);
    firsts.add(found[0] ?? "");
  }
  assert.equal(firsts.size, 5);

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
