import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerLaunch } from "../../src/runtime/types.ts";
import { canRun, collect, Fixture } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture({ stallSeconds: 1 });
after(() => fixture.close());

const withStdin = (launch: ContainerLaunch) => {
  launch.stdio = { tty: false, stdin: true, stdinOnce: true, waitForAttach: 1 };
};
const withTerminal = (launch: ContainerLaunch) => {
  launch.spec.process.terminal = true;
  launch.stdio = { tty: true, stdin: true, stdinOnce: true, waitForAttach: 1 };
};
const everything = { stdin: true, stdout: true, stderr: true };

test("a client that was announced sees the first byte, several see all", { skip }, async () => {
  const shim = await fixture.runtime.start(
    fixture.launch(["sh", "-c", "echo out; echo err >&2"], (launch) => {
      launch.stdio.waitForAttach = 2;
    }),
  );
  const attachments = await Promise.all([
    shim.attach(everything),
    shim.attach({ stdin: false, stdout: false, stderr: true }),
  ]);
  const [all, errors] = await Promise.all(attachments.map(collect));
  assert.deepEqual(all, { stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(errors, { stdout: "", stderr: "err\n" });
  assert.equal((await shim.exited).exitCode, 0);
});

test("a client that was announced and comes long after the end sees all", { skip }, async () => {
  const pieces = "i=0; while [ $i -lt 5 ]; do echo $i; i=$((i + 1)); done; echo bad >&2";
  const shim = await fixture.runtime.start(
    fixture.launch(["sh", "-c", pieces], (launch) => {
      launch.stdio.waitForAttach = 1;
    }),
  );
  await sleep(600);
  assert.deepEqual(await collect(await shim.attach(everything)), {
    stdout: "0\n1\n2\n3\n4\n",
    stderr: "bad\n",
  });
  assert.equal((await shim.exited).exitCode, 0);
});

test("two megabytes go through cat and back", { skip }, async () => {
  const shim = await fixture.runtime.start(fixture.launch(["cat"], withStdin));
  const attachment = await shim.attach(everything);
  const output = collect(attachment);
  const piece = Buffer.alloc(100_000, "x");
  for (let i = 0; i < 20; i++) await attachment.write(piece);
  attachment.closeStdin();
  assert.equal((await output).stdout.length, 2_000_000);
  await shim.exited;
});

test("stdin ends when the client that may write goes away", { skip }, async () => {
  const shim = await fixture.runtime.start(fixture.launch(["cat"], withStdin));
  const attachment = await shim.attach(everything);
  attachment.close();
  assert.equal((await shim.exited).exitCode, 0);
});

test("writing to a process that closed its stdin is refused", { skip }, async () => {
  const shim = await fixture.runtime.start(
    fixture.launch(["sh", "-c", "exec <&-; echo go; sleep 100"], withStdin),
  );
  const attachment = await shim.attach(everything);
  for await (const { data } of attachment.output) if (data.includes("go")) break;
  await assert.rejects(attachment.write(Buffer.from("x")), { code: "EPIPE" });
  await shim.signal(9);
  assert.equal((await shim.exited).exitCode, 137);
});

test("a terminal: size, input, resize, console", { skip }, async () => {
  const shim = await fixture.runtime.start(
    fixture.launch(["sh", "-c", "tty; read x; stty size; ls /dev/console"], withTerminal),
  );
  const attachment = await shim.attach(everything);
  await shim.resize({ height: 31, width: 91 });
  let shown = "";
  for await (const { data } of attachment.output) {
    shown += data.toString();
    // What is typed before the program asks would be echoed before its first line.
    if (shown === "/dev/pts/0\r\n") await attachment.write(Buffer.from("go\n"));
  }
  assert.equal(shown, "/dev/pts/0\r\ngo\r\n31 91\r\n/dev/console\r\n");
});

test("a client that never reads does not hold the process for ever", { skip }, async () => {
  const launch = fixture.launch(
    ["sh", "-c", "yes 0123456789012345678901234567890123456789 | head -n 100000"],
    (l) => {
      l.stdio.waitForAttach = 1;
      l.log.driver = "none";
    },
  );
  const shim = await fixture.runtime.start(launch);
  const attachment = await shim.attach(everything);
  // The output is never read: the client's socket and the shim's buffer for it fill up.
  assert.equal((await shim.exited).exitCode, 0);
  attachment.close();
});

test("the json-file has Docker's form: long lines, bad UTF-8, escapes", { skip }, async () => {
  const launch = fixture.launch([
    "sh",
    "-c",
    `yes a | head -n 20000 | tr -d '\\n'; echo; printf '\\377<&>"\\\\\\t\\001\\342\\200\\250'`,
  ]);
  assert.equal((await fixture.run(launch)).exitCode, 0);
  const lines = readFileSync(launch.log.path, "utf8").trimEnd().split("\n");
  const logs = lines.map((line) => JSON.parse(line).log as string);
  assert.deepEqual(logs.map((log) => log.length).slice(0, 2), [16384, 20000 - 16384 + 1]);
  const last = lines[2] ?? "";
  const start = `{"log":"\\ufffd\\u003c\\u0026\\u003e\\"\\\\\\t\\u0001\\u2028","stream":"stdout","time":"`;
  assert.equal(last.slice(0, start.length), start);
  assert.match(last, /"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"}$/);
});

test("logs rotate", { skip }, async () => {
  const launch = fixture.launch(["sh", "-c", "seq 1 2000"], (l) => {
    l.log.maxSize = 20_000;
    l.log.maxFile = 3;
    l.log.attrs = { tag: "x" };
  });
  await fixture.run(launch);
  const read = (name: string) => readFileSync(name, "utf8").trimEnd().split("\n");
  const files = [2, 1].map((n) => read(`${launch.log.path}.${n}`)).concat([read(launch.log.path)]);
  const numbers = files.flat().map((line) => Number(JSON.parse(line).log));
  assert.equal(numbers.at(-1), 2000);
  assert.ok(numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1));
  assert.ok(files.slice(0, 2).every((lines) => lines.join("\n").length >= 19_000));
  assert.equal(JSON.parse(files[0]?.[0] ?? "").attrs.tag, "x");
});
