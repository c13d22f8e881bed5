import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { tarOf } from "../support/images.ts";
import { idle, Sink, type TestEngine, talk, testEngine } from "./support.ts";

let engine: TestEngine;
let docker: Docker;
before(async () => {
  engine = await testEngine("dockerode");
  docker = new Docker({ socketPath: engine.socketPath });
});
after(() => engine.end());

const labels = { life: "dockerode" };
const host = { NetworkMode: "none" };

interface Demultiplexed {
  out: Sink;
  err: Sink;
}

function demultiplex(stream: NodeJS.ReadableStream): Demultiplexed {
  const out = new Sink();
  const err = new Sink();
  docker.modem.demuxStream(stream, out, err);
  return { out, err };
}

async function statusOf(promise: Promise<unknown>): Promise<number> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error && "statusCode" in error) return Number(error.statusCode);
    throw error;
  }
  return 200;
}

test("create, attach, talk, wait, look, remove", async () => {
  const events: string[] = [];
  const stream = await docker.getEvents({ filters: { label: ["life=dockerode"] } });
  stream.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split("\n")) events.push(JSON.parse(line).Action);
  });

  const container = await docker.createContainer({
    name: "dockerode-talk",
    Image: "busybox",
    Cmd: ["sh", "-c", talk],
    OpenStdin: true,
    StdinOnce: true,
    Labels: labels,
    HostConfig: { ...host, Memory: 64 << 20 },
  });
  const attached = await container.attach({
    hijack: true,
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  const { out, err } = demultiplex(attached);
  await container.start();
  assert.equal(await statusOf(container.start()), 304);
  attached.write("hello\n");
  const { StatusCode } = await container.wait();
  assert.equal(StatusCode, 3);
  await finished(attached);
  assert.equal(out.text, "out\ngot hello\n");
  assert.equal(err.text, "err\n");

  const { State, HostConfig, Name, Config } = await container.inspect();
  assert.deepEqual([State.Status, State.ExitCode, State.Pid], ["exited", 3, 0]);
  assert.deepEqual([HostConfig.Memory, Name, Config.Labels], [64 << 20, "/dockerode-talk", labels]);

  const log = await container.logs({ stdout: true, stderr: true, timestamps: true });
  assert.match(log.toString("latin1"), /^.{8}\d{4}-\d\d-\d\dT[\d:.]+Z (out|err)\n/s);
  // Which of the two streams' lines is the last is up to the scheduler; all three are the tail.
  const follow = demultiplex(await container.logs({ stdout: true, stderr: false, follow: true, tail: 3 }));
  await follow.out.until("got hello\n");
  assert.equal(follow.out.text, "out\ngot hello\n");

  await container.rename({ name: "dockerode-renamed" });
  const found = await docker.listContainers({ all: true, filters: { name: ["dockerode-renamed"] } });
  assert.deepEqual(
    found.map(({ Id, Names, State }) => [Id, Names, State]),
    [[container.id, ["/dockerode-renamed"], "exited"]],
  );
  await container.remove();
  assert.equal(await statusOf(container.inspect()), 404);
  for (let i = 0; i < 100 && !events.includes("destroy"); i++)
    await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(events, ["create", "attach", "start", "die", "rename", "destroy"]);
  if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy();
});

test("a running container: exec, files, limits, signals", async () => {
  const container = await docker.createContainer({
    Image: "busybox",
    Cmd: ["sh", "-c", idle],
    Labels: labels,
    HostConfig: host,
  });
  await container.start();

  const exec = await container.exec({
    Cmd: ["sh", "-c", "cat; echo oops >&2; exit 7"],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const duplex = await exec.start({ hijack: true, stdin: true });
  const { out, err } = demultiplex(duplex);
  duplex.end("through cat\n");
  await finished(duplex);
  assert.deepEqual([out.text, err.text], ["through cat\n", "oops\n"]);
  const inspected = await exec.inspect();
  assert.deepEqual([inspected.Running, inspected.ExitCode], [false, 7]);

  const terminal = await container.exec({
    Cmd: ["sh", "-c", "read x; stty size"],
    AttachStdin: true,
    AttachStdout: true,
    Tty: true,
  });
  const tty = await terminal.start({ hijack: true, stdin: true, Tty: true });
  const screen = new Sink();
  tty.pipe(screen);
  await terminal.resize({ h: 33, w: 99 });
  tty.write("\n");
  await finished(tty, { writable: false });
  assert.match(screen.text, /33 99/);

  await container.putArchive(tarOf([{ name: "note", data: "by dockerode" }]), { path: "/tmp" });
  const archive = await buffer(await container.getArchive({ path: "/tmp/note" }));
  assert.ok(archive.includes("by dockerode"));
  const info = await container.infoArchive({ path: "/tmp/note" });
  info.resume();
  const stat = JSON.parse(
    Buffer.from(info.headers["x-docker-container-path-stat"] ?? "", "base64").toString(),
  );
  assert.deepEqual([stat.name, stat.size], ["note", 12]);
  assert.equal(await statusOf(container.getArchive({ path: "/nowhere" })), 404);
  const changes = await container.changes();
  assert.ok(
    changes?.some(({ Path, Kind }: { Path: string; Kind: number }) => Path === "/tmp/note" && Kind === 1),
  );
  assert.ok((await buffer(await container.export())).includes("by dockerode"));

  const top = await container.top();
  assert.ok(top.Processes.length >= 1);
  const stats = await container.stats({ stream: false });
  assert.ok(stats.memory_stats.usage > 0);
  await container.update({ Memory: 96 << 20, MemorySwap: 192 << 20 });
  assert.equal((await container.inspect()).HostConfig.Memory, 96 << 20);

  await container.pause();
  assert.equal((await container.inspect()).State.Paused, true);
  await container.unpause();
  await container.restart({ t: 5 });
  assert.equal((await container.inspect()).State.Running, true);
  await container.kill({ signal: "SIGKILL" });
  assert.equal((await container.wait()).StatusCode, 137);
  assert.equal(await statusOf(container.kill()), 409);
  assert.equal(await statusOf(container.stop()), 304);
  await container.remove();
});

test("--rm and waiting for the removal", async () => {
  const container = await docker.createContainer({
    Image: "busybox",
    Cmd: ["true"],
    HostConfig: { ...host, AutoRemove: true },
  });
  const removed = container.wait({ condition: "removed" });
  await container.start();
  assert.equal((await removed).StatusCode, 0);
  assert.equal(await statusOf(container.inspect()), 404);
});

test("what is wrong is refused with its status", async () => {
  assert.equal(await statusOf(docker.createContainer({ Image: "does-not-exist" })), 404);
  assert.equal(await statusOf(docker.getContainer("nobody").start()), 404);
  assert.equal(await statusOf(docker.getExec("nothing").inspect()), 404);
  const create = (name: string) =>
    docker.createContainer({ name, Image: "busybox", Cmd: ["true"], HostConfig: host });
  const first = await create("dockerode-taken");
  assert.equal(await statusOf(create("dockerode-taken")), 409);
  assert.equal(await statusOf(create("bad/name")), 400);
  await first.remove();
});
