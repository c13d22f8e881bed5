import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { collectYoung } from "../lib/garbage.ts";
import { silentLogger } from "../lib/log.ts";
import { startDaemon } from "./daemon.ts";
import { type DaemonOptions, parseDaemonOptions } from "./daemon-options.ts";
import { fakeServices } from "./services.fake.ts";

function scratch(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "berth-api-daemon-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function options(...argv: string[]): DaemonOptions {
  const parsed = parseDaemonOptions(argv);
  assert.ok(parsed);
  return parsed;
}

const openFake = async () => ({ ...fakeServices(), close: async () => {} });

function ping(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: "/_ping" }, (response) => resolve(response.resume().statusCode));
    sent.on("error", reject).end();
  });
}

test("a daemon listens on private sockets and leaves nothing behind", async () => {
  using directory = scratch();
  const [one, two, pidFile] = ["deep/1.sock", "2.sock", "pid"].map((name) => join(directory.path, name));
  assert.ok(one && two && pidFile);
  const daemon = await startDaemon(
    options("-H", `unix://${one}`, "-H", `unix://${two}`, "--pidfile", pidFile),
    openFake,
    silentLogger,
  );
  assert.equal(await ping(one), 200);
  assert.equal(await ping(two), 200);
  assert.equal(statSync(one).mode & 0o777, 0o600);
  assert.equal(readFileSync(pidFile, "utf8"), `${process.pid}\n`);
  await assert.rejects(
    startDaemon(options("-H", `unix://${one}`), openFake, silentLogger),
    /already listens on/,
  );
  await daemon.stop();
  assert.deepEqual([existsSync(one), existsSync(two), existsSync(pidFile)], [false, false, false]);
});

test("a daemon that nobody asks for anything gives memory back", async ({ mock }) => {
  using directory = scratch();
  mock.timers.enable({ apis: ["setTimeout"] });
  const address = `unix://${join(directory.path, "api.sock")}`;
  const daemon = await startDaemon(options("-H", address), openFake, silentLogger);
  let kept: object | undefined = {};
  // Old enough to be left by the collections of what is young.
  for (let count = 0; count < 3; count++) collectYoung();
  const garbage = new WeakRef(kept);
  kept = undefined;
  await turn();
  mock.timers.tick(10_000);
  const left = garbage.deref();
  await daemon.stop();
  assert.equal(left, undefined);
});

test("a socket file that nobody serves is replaced, a living pid is respected", async () => {
  using directory = scratch();
  const socket = join(directory.path, "s.sock");
  const dead = createServer().listen(socket);
  await new Promise((resolve) => dead.once("listening", resolve));
  // Closing would remove the file; a process that dies leaves it.
  rmSync(`${socket}.kept`, { force: true });
  const { linkSync, renameSync } = await import("node:fs");
  linkSync(socket, `${socket}.kept`);
  await new Promise((resolve) => dead.close(resolve));
  renameSync(`${socket}.kept`, socket);

  const daemon = await startDaemon(options("-H", `unix://${socket}`), openFake, silentLogger);
  assert.equal(await ping(socket), 200);
  await daemon.stop();

  const pidFile = join(directory.path, "pid");
  writeFileSync(pidFile, "1\n");
  const again = options("-H", `unix://${socket}`, "-p", pidFile);
  await assert.rejects(startDaemon(again, openFake, silentLogger), /process with PID 1 is still running/);
  assert.equal(readFileSync(pidFile, "utf8"), "1\n");
});

test("a process that ended, but that nobody reaped, does not run", async () => {
  using directory = scratch();
  const pidFile = join(directory.path, "pid");
  // The process ends when its parent goes on as a program that does not wait for it; a shell might.
  const child = '(until [ "$(cat /proc/$$/comm)" = sleep ]; do sleep 0.01; done) &';
  const parent = spawn("sh", [
    "-c",
    `${child} echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`,
  ]);
  const state = (): string => readFileSync(`/proc/${readFileSync(pidFile, "utf8").trim()}/stat`, "utf8");
  try {
    while (!existsSync(pidFile) || !state().includes(") Z ")) await sleep(5);
    const given = options("-H", `unix://${join(directory.path, "s.sock")}`, "-p", pidFile);
    const daemon = await startDaemon(given, openFake, silentLogger);
    await daemon.stop();
  } finally {
    parent.kill();
  }
});

test("when the engine does not open, nothing is left", async () => {
  using directory = scratch();
  const pidFile = join(directory.path, "pid");
  const fail = () => Promise.reject(new Error("the data root is in use"));
  const wanted = options("-H", `unix://${directory.path}/s.sock`, "-p", pidFile);
  await assert.rejects(startDaemon(wanted, fail, silentLogger), /in use/);
  assert.equal(existsSync(pidFile), false);
});

test("flags", () => {
  const { addresses, logLevel, dataRoot } = options("-H", "unix:///a/b", "--debug", "--data-root", "/d");
  assert.deepEqual([addresses, logLevel, dataRoot], [[{ kind: "unix", path: "/a/b" }], "debug", "/d"]);
  const tls = ["--tlsverify", "--tlscacert", "ca", "--tlscert", "c", "--tlskey", "k"];
  const files = { ca: "ca", certificate: "c", key: "k" };
  assert.deepEqual(options("-H", "tcp://[::1]:99", ...tls).addresses, [
    { kind: "tcp", host: "::1", port: 99, tls: files },
  ]);
  assert.deepEqual(options("-H", "tcp://0.0.0.0", ...tls).addresses, [
    { kind: "tcp", host: "0.0.0.0", port: 2376, tls: files },
  ]);
  assert.throws(() => options("-H", "tcp://0.0.0.0:2375"), /refusing to listen on tcp:/);
  assert.throws(() => options("-H", "tcp://0.0.0.0:2375", "--tlsverify"), /refusing to listen on tcp:/);
  assert.throws(() => options("-H", "unix://relative"), /absolute path/);
  assert.throws(() => options("-H", "fd://"), /invalid bind address/);
  assert.throws(() => options("--log-level", "loud"), /invalid log level loud/);
  assert.throws(() => options("--nonsense"), /nonsense/);
  assert.equal(parseDaemonOptions(["--help"]), null);
});

test("a stop lets answers be finished that are being worked on", async () => {
  using directory = scratch();
  const socket = join(directory.path, "s.sock");
  let finished = false;
  const asked = Promise.withResolvers<void>();
  const info = async () => {
    asked.resolve();
    await new Promise((resolve) => setTimeout(resolve, 50));
    finished = true;
    return {};
  };
  const open = async () => ({
    ...fakeServices({ system: { info } }),
    close: async () => assert.ok(finished),
  });
  const daemon = await startDaemon(options("-H", `unix://${socket}`), open, silentLogger);
  const answer = new Promise<string>((resolve, reject) => {
    const sent = request({ socketPath: socket, path: "/info" }, async (response) => {
      resolve(String(await response.toArray()));
    });
    sent.on("error", reject).end();
  });
  await asked.promise;
  await daemon.stop();
  assert.equal(await answer, "{}\n");
});
