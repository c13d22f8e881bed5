// The same application by compose v2, where it is installed: the calls that newer clients make.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Result, run, TestDaemon, until } from "../support/daemon.ts";
import { application, loadApplication } from "./application.ts";

/** Where docker looks for its plugins, and what COMPOSE_V2 names. */
const program = [
  process.env.COMPOSE_V2 ?? "",
  ...[join(homedir(), ".docker"), "/usr/local/lib/docker", "/usr/libexec/docker", "/usr/lib/docker"].map(
    (directory) => join(directory, "cli-plugins/docker-compose"),
  ),
].find((path) => path !== "" && existsSync(path));
const missing =
  "compose v2 is not installed (Debian 12 has none): put it in a directory of plugins or name it in COMPOSE_V2";

let daemon: TestDaemon;
before(async () => {
  if (program) daemon = await TestDaemon.start("compose2");
});
after(async () => {
  if (!program) return;
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

test("up, scaled, broken and healed, one-off runs, down", {
  skip: program ? false : missing,
  timeout: 120_000,
}, async () => {
  await loadApplication(daemon);
  const tried = async (...args: string[]): Promise<Result> => {
    const files = ["-p", "shop", "-f", join(application, "compose-v2.yml")];
    const env = { DOCKER_HOST: daemon.host, COMPOSE_PROGRESS: "plain" };
    return run(program ?? "", [...files, ...args], { env });
  };
  const compose = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await tried(...args);
    assert.equal(code, 0, `compose ${args.join(" ")}: ${stderr}${stdout}\n${daemon.log}`);
    return stdout.trim();
  };
  const visit = async (which = 0): Promise<{ host: string; visits: number; done: number }> => {
    const ids = (await compose("ps", "-q", "web")).split("\n");
    const [address = ""] = (await daemon.ok(["port", ids[which] ?? "", "80"])).split("\n");
    const answer = await fetch(`http://${address.replace("0.0.0.0", "127.0.0.1")}/`, {
      signal: AbortSignal.timeout(5000),
    });
    assert.equal(answer.status, 200);
    return JSON.parse(await answer.text());
  };
  const answers = (which = 0): Promise<void> =>
    until(`web ${which} answers`, () =>
      visit(which).then(
        () => true,
        () => false,
      ),
    );

  await compose("up", "-d", "--wait");
  await answers();
  assert.match(await compose("ps", "--format", "{{.Service}} {{.Health}}"), /^db healthy$/m);
  assert.equal(await compose("exec", "-T", "web", "cat", "/etc/greeting"), "hello from a config");
  assert.match(await compose("exec", "-T", "worker", "cat", "/run/secrets/token"), /secrets: \[token\]/);
  assert.match(await compose("exec", "-T", "worker", "ls", "/shown"), /worker\.cjs/);
  assert.match(await compose("exec", "-T", "worker", "nslookup", "store"), /10\.214\.7\.77/);
  // Out by the network of the higher priority; the other is internal.
  assert.match(await compose("exec", "-T", "web", "ip", "-6", "route"), /default via fd/);
  await until("the worker works", async () => (await visit()).done > 0);

  await compose("up", "-d", "--scale", "web=5");
  const hosts = new Set<string>();
  for (let which = 0; which < 5; which++) {
    await answers(which);
    hosts.add((await visit(which)).host);
  }
  assert.equal(hosts.size, 5);
  const { visits } = await visit();
  const db = await compose("ps", "-q", "db");
  process.kill(Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", db])), "SIGKILL");
  await until("the database is back", () =>
    visit().then(
      (now) => now.visits > visits,
      () => false,
    ),
  );
  await compose("restart", "-t", "1", "db");
  await answers(3);
  assert.match(await compose("logs", "--tail", "50", "worker"), /job \d+ for /);
  assert.equal((await tried("run", "--rm", "once")).code, 3);
  assert.equal(await compose("run", "--rm", "-T", "worker", "cat", "/sys/class/net/eth0/mtu"), "1500");
  assert.match(await compose("top", "worker"), /worker\.cjs/);
  assert.match(await compose("images", "--format", "json"), /"Repository":"shop"/);
  await compose("up", "-d", "-t", "1");
  await compose("up", "-d", "--force-recreate", "-t", "1");
  await answers();
  await compose("pause", "web");
  await compose("unpause", "web");
  await compose("stop", "-t", "1");
  await compose("start");
  await answers();
  await compose("down", "-v", "-t", "1");
  assert.equal(await daemon.ok(["ps", "-a", "--format", "{{.Names}} {{.Status}} {{.Command}}"]), "");
  assert.equal(await daemon.ok(["network", "ls", "-q", "--filter", "type=custom"]), "");
  assert.equal(await daemon.ok(["volume", "ls", "-q"]), "");
});
