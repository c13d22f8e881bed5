// Testcontainers against a daemon. It brings 169 packages, so it is installed into a folder of the test's own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { TestDaemon } from "../support/daemon.ts";

const version = "12.2.0";
const folder = mkdtempSync(join(tmpdir(), "berth-testcontainers-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Why it cannot be had, or false. */
function install(): string | false {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"];
  const light = ["--ignore-scripts", "--omit=optional", "--prefer-offline"];
  try {
    const options = { cwd: folder, stdio: "pipe", timeout: 240_000 } as const;
    execFileSync("npm", ["install", ...quiet, ...light, `testcontainers@${version}`], options);
    return false;
  } catch (error) {
    return `testcontainers ${version} cannot be installed: ${String(error).split("\n")[1] ?? error}`;
  }
}

describe("testcontainers", { skip: install() }, async () => {
  const daemon = await TestDaemon.start("testcontainers");
  process.env.DOCKER_HOST = daemon.host;
  // Its reaper is an image of a registry that tests do not reach.
  process.env.TESTCONTAINERS_RYUK_DISABLED = "true";
  const found = createRequire(join(folder, "package.json")).resolve("testcontainers");
  const { GenericContainer, Network, Wait } = await import(pathToFileURL(found).href);
  const forever = ["sleep", "600"];
  const server = [
    ...["sh", "-c"],
    "mkdir -p /www && echo served > /www/index.html && echo about to serve && httpd -f -p 80 -h /www",
  ];

  after(async () => {
    const left = await daemon.ok(["ps", "-aq"]);
    await daemon.end();
    assert.equal(left, "", "it has removed what it made");
    assert.deepEqual(daemon.leftovers(), []);
  });

  const fetched = async (container: { getHost(): string; getMappedPort(port: number): number }) => {
    const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`);
    return answer.text();
  };

  test("a port that is published, found open from inside and outside", async () => {
    const container = await new GenericContainer("busybox")
      .withCommand(server)
      .withExposedPorts(80)
      .withWaitStrategy(Wait.forListeningPorts())
      .start();
    assert.equal(await fetched(container), "served\n");
    assert.ok(container.getMappedPort(80) > 0);
    await container.restart();
    assert.equal(await fetched(container), "served\n");
    await container.stop();
  });

  test("waiting for a log line, an HTTP answer, a command, a health check, an end", async () => {
    const healthy = { test: ["CMD-SHELL", "test -e /www/index.html"], interval: 200, retries: 20 };
    for (const strategy of [
      Wait.forLogMessage(/about to \w+/),
      Wait.forHttp("/", 80).forResponsePredicate((body: string) => body === "served\n"),
      Wait.forSuccessfulCommand("test -e /www/index.html"),
      Wait.forHealthCheck(),
      Wait.forAll([Wait.forLogMessage("serve"), Wait.forListeningPorts()]),
    ]) {
      const container = await new GenericContainer("busybox")
        .withCommand(server)
        .withExposedPorts(80)
        .withHealthCheck(healthy)
        .withWaitStrategy(strategy.withStartupTimeout(20_000))
        .start();
      await container.stop();
    }
    const ended = await new GenericContainer("busybox")
      .withCommand(["true"])
      .withWaitStrategy(Wait.forOneShotStartup())
      .start();
    await ended.stop();
    const failing = new GenericContainer("busybox")
      .withCommand(["false"])
      .withWaitStrategy(Wait.forOneShotStartup());
    await assert.rejects(failing.start(), /exit code 1|exited with code 1|failed/i);
    await daemon.docker(["container", "prune", "-f"]);
  });

  test("execs, with users, directories and variables", async () => {
    const container = await new GenericContainer("busybox").withCommand(forever).start();
    const said = await container.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert.deepEqual([said.exitCode, said.stdout, said.stderr], [3, "out\n", "err\n"]);
    const options = { user: "nobody", workingDir: "/tmp", env: { WORD: "given" } };
    const other = await container.exec(["sh", "-c", "id -un; pwd; echo $WORD"], options);
    assert.equal(other.output, "nobody\n/tmp\ngiven\n");
    await container.stop();
  });

  test("files in before and after the start, and out", async () => {
    const source = join(folder, "tree");
    mkdirSync(source);
    writeFileSync(join(source, "file"), "from the host\n");
    const container = await new GenericContainer("busybox")
      .withCommand(forever)
      .withCopyFilesToContainer([{ source: join(source, "file"), target: "/in/file", mode: 0o640 }])
      .withCopyDirectoriesToContainer([{ source, target: "/tree" }])
      .withCopyContentToContainer([{ content: "written\n", target: "/in/content" }])
      .withTmpFs({ "/scratch": "rw,size=1m" })
      .start();
    await container.copyContentToContainer([{ content: "later\n", target: "/in/later" }]);
    const script = "cat /in/* /tree/file; stat -c %a /in/file; df /scratch | grep -c tmpfs";
    const { output } = await container.exec(["sh", "-c", script]);
    assert.equal(output, "written\nfrom the host\nlater\nfrom the host\n640\n1\n");
    const archive = await container.copyArchiveFromContainer("/in/content");
    let text = "";
    for await (const part of archive) text += part;
    assert.match(text, /^content\0[\s\S]*written\n/);
    await container.stop();
  });

  test("logs, labels, names and limits", async () => {
    const container = await new GenericContainer("busybox")
      .withName("named")
      .withLabels({ "of.test": "yes" })
      .withEnvironment({ WORD: "logged" })
      .withUser("nobody")
      .withWorkingDir("/tmp")
      .withResourcesQuota({ memory: 0.0625, cpu: 0.5 })
      .withUlimits({ nofile: { hard: 100, soft: 50 } })
      .withCommand(["sh", "-c", "echo $WORD; id -un; pwd; ulimit -n; sleep 600"])
      .withWaitStrategy(Wait.forLogMessage("50"))
      .start();
    let text = "";
    const logs = await container.logs();
    logs.on("data", (line: string) => {
      text += line;
    });
    await new Promise((done) => setTimeout(done, 100));
    logs.destroy();
    assert.equal(text.replaceAll("\r", ""), "logged\nnobody\n/tmp\n50\n");
    const shown = await daemon.ok([
      "inspect",
      "-f",
      "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}",
      "named",
    ]);
    assert.equal(shown, `${64 << 20} 500000000`);
    assert.equal(container.getName(), "/named");
    assert.equal(container.getLabels()["of.test"], "yes");
    await container.stop();
  });

  test("a network in which one finds the other by its alias", async () => {
    const network = await new Network().start();
    const web = await new GenericContainer("busybox")
      .withCommand(server)
      .withNetwork(network)
      .withNetworkAliases("web")
      .start();
    const client = await new GenericContainer("busybox").withCommand(forever).withNetwork(network).start();
    const { output } = await client.exec(["wget", "-qO-", "http://web/"]);
    assert.equal(output, "served\n");
    assert.match(web.getIpAddress(network.getName()), /^\d+\.\d+\.\d+\.\d+$/);
    await Promise.all([web.stop(), client.stop()]);
    await network.stop();
  });

  test("an image built from a Dockerfile, one committed, one reused", async () => {
    const context = join(folder, "context");
    mkdirSync(context);
    writeFileSync(
      join(context, "Dockerfile"),
      'FROM busybox\nARG WORD\nRUN echo "$WORD" > /word\nCMD ["sleep", "600"]\n',
    );
    const image = await GenericContainer.fromDockerfile(context)
      .withBuildArgs({ WORD: "built" })
      .withCache(false)
      .build("built:1", { deleteOnExit: false });
    const container = await image.withReuse().start();
    assert.equal((await container.exec(["cat", "/word"])).output, "built\n");
    const again = await new GenericContainer("built:1").start();
    assert.notEqual(again.getId(), container.getId());
    await again.stop();
    await container.exec(["sh", "-c", "echo more >> /word"]);
    await container.commit({ repo: "kept", tag: "1", deleteOnExit: false });
    await container.stop();
    const kept = await new GenericContainer("kept:1").start();
    assert.equal((await kept.exec(["cat", "/word"])).output, "built\nmore\n");
    await kept.stop();
  });

  test("what cannot start says why", async () => {
    const missing = new GenericContainer("busybox").withCommand(["no-such-program"]);
    await assert.rejects(missing.start(), /executable file not found/);
    await daemon.docker(["container", "prune", "-f"]);
    const silent = new GenericContainer("busybox")
      .withCommand(forever)
      .withWaitStrategy(Wait.forLogMessage("never").withStartupTimeout(500));
    await assert.rejects(silent.start(), /never.*500ms|500 ?ms/);
  });
});
