import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { qemuProgram } from "./qemu.ts";
import { Qmp, type QmpEvent } from "./qmp.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-qmp-"));
const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
  rmSync(directory, { recursive: true });
});

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
let servers = 0;

interface Command {
  execute: string;
  arguments: unknown;
  id: number;
}

/** A QEMU that greets, agrees on capabilities and leaves the other commands to `answer`. */
async function fake(answer: (command: Command, socket: Socket) => void, greets = greeting): Promise<string> {
  const path = join(directory, `${servers++}.sock`);
  const server = createServer((socket) => {
    closing.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.write(greets);
    socket.on("data", (chunk) => {
      for (const line of chunk.toString().split("\n").filter(Boolean)) {
        const command: Command = JSON.parse(line);
        if (command.execute === "qmp_capabilities") socket.write(`{"return": {}, "id": ${command.id}}\r\n`);
        else answer(command, socket);
      }
    });
  });
  closing.push(() => server.close());
  await new Promise<void>((done) => server.listen(path, done));
  return path;
}

test("answers find their commands in any order", async () => {
  const held: Command[] = [];
  const path = await fake((command, socket) => {
    held.push(command);
    if (held.length < 2) return;
    for (const { id, execute } of held.reverse()) socket.write(`{"return": "${execute}", "id": ${id}}\r\n`);
  });
  const qmp = await Qmp.connect(path);
  assert.deepEqual(await Promise.all([qmp.execute("one"), qmp.execute("two")]), ["one", "two"]);
  qmp.close();
});

test("a refusal says which command and why", async () => {
  const path = await fake(({ id }, socket) =>
    socket.write(`{"error": {"class": "DeviceNotFound", "desc": "no such disk"}, "id": ${id}}\n`),
  );
  const qmp = await Qmp.connect(path);
  await assert.rejects(qmp.execute("eject"), {
    kind: "DeviceNotFound",
    message: "the hypervisor refused eject: no such disk",
  });
  qmp.close();
});

test("events come with their data, answers for nobody are passed over", async () => {
  const events: QmpEvent[] = [];
  const path = await fake(({ id }, socket) => {
    socket.write('{"return": 1, "id": 999}\n{"return": 1}\n{"event": "STOP"}\n');
    // In pieces, as a socket may deliver.
    socket.write('{"event": "SHUTDOWN", "data": {"guest":');
    setTimeout(() => socket.write(` true}}\n{"return": 7, "id": ${id}}\n`), 20);
  });
  const qmp = await Qmp.connect(path, { onEvent: (event) => events.push(event) });
  assert.equal(await qmp.execute("go"), 7);
  assert.deepEqual(events, [
    { name: "STOP", data: {} },
    { name: "SHUTDOWN", data: { guest: true } },
  ]);
  qmp.close();
});

test("silence ends in a timeout and the connection goes on", async () => {
  const path = await fake(({ id, execute }, socket) => {
    if (execute !== "silent") socket.write(`{"return": {}, "id": ${id}}\n`);
  });
  const qmp = await Qmp.connect(path);
  await assert.rejects(qmp.execute("silent", {}, 30), {
    code: "UNAVAILABLE",
    message: /answer silent within/,
  });
  assert.deepEqual(await qmp.execute("loud"), {});
  qmp.close();
  const mute = await fake(() => undefined, "");
  await assert.rejects(Qmp.connect(mute, { timeout: 30 }), { code: "UNAVAILABLE", message: /did not greet/ });
  await assert.rejects(
    Qmp.connect(join(directory, "absent"), { timeout: 30 }),
    /cannot be reached \(ENOENT\)/,
  );
});

for (const [name, bytes, reason] of [
  ["garbage", Buffer.from("\x00\xff}{\n"), /no JSON object/],
  ["an array", Buffer.from("[1]\n"), /no JSON object/],
  ["deep nesting", Buffer.from(`${"[".repeat(100_000)}\n`), /no JSON object/],
  ["a message without end", Buffer.alloc(5 << 20, 0x20), /more than 4194304 bytes/],
  ["a message too long", Buffer.from(`"${"x".repeat(5 << 20)}"\n`), /more than 4194304 bytes/],
] as const) {
  test(`${name} ends the connection and every command`, async () => {
    const path = await fake((_, socket) => void socket.write(bytes));
    let closed = 0;
    const qmp = await Qmp.connect(path, { onClose: () => closed++ });
    await assert.rejects(qmp.execute("go"), reason);
    assert.equal(qmp.closed, true);
    await assert.rejects(qmp.execute("again"), reason);
    assert.equal(closed, 1);
  });
}

test("a peer that goes away ends every command", async () => {
  const path = await fake((_, socket) => void socket.destroy());
  const qmp = await Qmp.connect(path);
  await assert.rejects(qmp.execute("go"), /closed its control socket/);
});

const installed = spawnSync(qemuProgram, ["--version"]).status === 0;

test("QEMU itself", { skip: installed ? false : `${qemuProgram} is not installed` }, async () => {
  const path = join(directory, "qemu.sock");
  const qemu: ChildProcess = spawn(
    qemuProgram,
    ["-M", "none", "-nodefaults", "-display", "none", "-qmp", `unix:${path},server=on,wait=off`],
    { stdio: "inherit" },
  );
  const ended = new Promise((done) => qemu.once("exit", done));
  closing.push(() => qemu.kill("SIGKILL"));
  const events: string[] = [];
  const qmp = await Qmp.connect(path, { onEvent: ({ name }) => events.push(name) });
  assert.deepEqual(await qmp.execute("query-name"), {});
  await assert.rejects(qmp.execute("no-such-command"), { kind: "CommandNotFound" });
  assert.deepEqual(await qmp.execute("quit"), {});
  await ended;
  assert.deepEqual(events, ["SHUTDOWN"]);
});
