// What a person at a terminal sees: `script` gives the command line one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { berth, TestDaemon, until } from "../support/daemon.ts";

const root = process.getuid?.() === 0;
const skip = root ? false : "needs root";
let daemon: TestDaemon;

before(async () => {
  if (root) daemon = await TestDaemon.start("terminal");
});
after(async () => {
  if (root) await daemon.end();
});

class Terminal {
  output = "";
  readonly #child;
  readonly ended: Promise<number | null>;

  constructor(line: string, size = "rows 33 cols 77") {
    const command = `stty ${size}; exec ${berth} -H ${daemon.host} ${line}`;
    this.#child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.on("data", (data: Buffer) => {
      this.output += data.toString();
    });
    this.ended = new Promise((done) => this.#child.on("close", done));
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  async shows(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} in ${JSON.stringify(this.output)}`, () =>
      this.output.includes(text),
    );
  }
}

test("run -it: a terminal of this one's size, input, exit code", { skip }, async () => {
  const terminal = new Terminal("run --rm -it busybox sh");
  await terminal.shows("/ # ");
  terminal.type("stty size; tty\n");
  await terminal.shows("33 77\r\n/dev/pts/0\r\n");
  terminal.type("exit 4\n");
  assert.equal(await terminal.ended, 4);
  // Newlines are the container's terminal's business alone.
  assert.equal(terminal.output.includes("\r\r\n"), false);
});

test("ctrl-c goes to the process in the container", { skip }, async () => {
  const trap = `'trap "echo got it; exit 9" INT; echo ready; while :; do sleep 0.1; done'`;
  for (const flags of ["-it", ""]) {
    const terminal = new Terminal(`run --rm ${flags} busybox sh -c ${trap}`);
    await terminal.shows("ready");
    terminal.type("\x03");
    await terminal.shows("got it");
    assert.equal(await terminal.ended, 9, flags);
  }
});

test("detach and attach again, by the usual keys and by others", { skip }, async () => {
  const first = new Terminal("run -it --name kept busybox sh");
  await first.shows("/ # ");
  first.type("echo one\n");
  await first.shows("one\r\n");
  first.type("\x10\x11");
  assert.equal(await first.ended, 0);

  const second = new Terminal("attach --detach-keys ctrl-x kept");
  await sleep(300);
  second.type("echo two\n");
  await second.shows("two\r\n");
  second.type("\x18");
  assert.equal(await second.ended, 1);
  assert.match(second.output, /read escape sequence/);

  const third = new Terminal("attach kept");
  await sleep(300);
  third.type("exit 6\n");
  assert.equal(await third.ended, 6);
});

test("exec -it and start -ai", { skip }, async () => {
  await daemon.ok(["create", "-it", "--name", "again", "busybox", "sh"]);
  const started = new Terminal("start -ai again");
  await started.shows("/ # ");
  const inside = new Terminal("exec -it again sh", "rows 20 cols 50");
  await inside.shows("/ # ");
  inside.type("stty size\n");
  await inside.shows("20 50");
  inside.type("exit 5\n");
  assert.equal(await inside.ended, 5);
  started.type("exit 3\n");
  assert.equal(await started.ended, 3);
});

test("signals are passed on without a terminal too", { skip }, async () => {
  const child = spawn(berth, [
    "-H",
    daemon.host,
    "run",
    "--rm",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 21' TERM; echo ready; while :; do sleep 0.1; done",
  ]);
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  const ended = new Promise((done) => child.on("close", done));
  await until("ready", () => output.includes("ready"));
  child.kill("SIGTERM");
  assert.equal(await ended, 21);
});

test("what follows a log or the events ends with its reader", { skip }, async () => {
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "noisy",
    "busybox",
    "sh",
    "-c",
    "while :; do echo line; sleep 0.05; done",
  ]);
  const child = spawn("sh", ["-c", `${berth} -H ${daemon.host} logs -f noisy | head -n 3`]);
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  assert.equal(await new Promise((done) => child.on("close", done)), 0);
  assert.equal(output, "line\nline\nline\n");
});
