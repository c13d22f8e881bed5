import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DockerClient, Filter } from "@docker/node-sdk";
import { idle, idles, Sink, type TestEngine, testEngine } from "./support.ts";

let engine: TestEngine;
let docker: DockerClient;
before(async () => {
  engine = await testEngine("node-sdk");
  docker = await DockerClient.fromDockerHost(`unix://${engine.socketPath}`);
});
after(async () => {
  await docker.close();
  await engine.end();
});

const host = { NetworkMode: "none" };

test("the engine speaks of itself", async () => {
  assert.ok(await docker.systemPing());
  const { ApiVersion, Os } = await docker.systemVersion();
  assert.match(ApiVersion ?? "", /^1\.\d+$/);
  assert.equal(Os, "linux");
  const { OSType, Containers } = await docker.systemInfo();
  assert.equal(OSType, "linux");
  assert.equal(typeof Containers, "number");
});

test("create, attach, start, wait, look, remove", async () => {
  const { Id } = await docker.containerCreate(
    { Image: "busybox", Cmd: ["sh", "-c", "echo out; echo err >&2; exit 4"], HostConfig: host },
    { name: "sdk-life" },
  );
  const out = new Sink();
  const err = new Sink();
  const attached = docker.containerAttach(Id, out, err, { stream: true, stdout: true, stderr: true });
  // It does not tell when it has begun.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await docker.containerStart(Id);
  assert.equal((await docker.containerWait(Id)).StatusCode, 4);
  await attached;
  assert.deepEqual([out.text, err.text], ["out\n", "err\n"]);

  const { State, Name } = await docker.containerInspect(Id);
  assert.deepEqual([State?.Status, State?.ExitCode, Name], ["exited", 4, "/sdk-life"]);
  const [logOut, logErr] = [new Sink(), new Sink()];
  await docker.containerLogs(Id, logOut, logErr, { stdout: true, stderr: true });
  assert.deepEqual([logOut.text, logErr.text], ["out\n", "err\n"]);
  await docker.containerRename(Id, "sdk-renamed");
  const filters = new Filter().set("name", ["sdk-renamed"]);
  const listed = await docker.containerList({ all: true, filters });
  assert.deepEqual(
    listed.map((entry) => entry.Id),
    [Id],
  );
  await docker.containerDelete(Id);
  await assert.rejects(docker.containerInspect(Id));
});

test("a running container: exec, stats, top, changes, export, signals", async () => {
  const { Id } = await docker.containerCreate({
    Image: "busybox",
    Cmd: ["sh", "-c", idle],
    HostConfig: host,
  });
  await docker.containerStart(Id);
  const exec = await docker.containerExec(Id, {
    Cmd: ["sh", "-c", "echo made > /tmp/made; echo done; exit 5"],
    AttachStdout: true,
    AttachStderr: true,
  });
  const out = new Sink();
  await docker.execStart(exec.Id ?? "", out, new Sink());
  assert.equal(out.text, "done\n");
  assert.equal((await docker.execInspect(exec.Id ?? "")).ExitCode, 5);

  assert.ok(((await docker.containerStats(Id)).memory_stats?.usage ?? 0) > 0);
  assert.ok(((await docker.containerTop(Id)).Processes?.length ?? 0) >= 1);
  assert.ok((await docker.containerChanges(Id)).some(({ Path }) => Path === "/tmp/made"));
  let exported = 0;
  const count = new WritableStream<Uint8Array>({
    write(chunk) {
      exported += chunk.length;
    },
  });
  await docker.containerExport(Id, count);
  assert.ok(exported > 100_000);

  await docker.containerPause(Id);
  assert.equal((await docker.containerInspect(Id)).State?.Paused, true);
  await docker.containerUnpause(Id);
  await docker.containerRestart(Id, { timeout: 5 });
  const ready = await docker.containerExec(Id, { Cmd: idles, AttachStdout: true });
  await docker.execStart(ready.Id ?? "", new Sink(), new Sink());
  await docker.containerStop(Id, { timeout: 5 });
  assert.equal((await docker.containerInspect(Id)).State?.ExitCode, 0);
  await docker.containerDelete(Id);
});
