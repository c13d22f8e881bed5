import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type LogQuery, type LogSource, readLog } from "./read.ts";

const START = Date.parse("2026-01-02T03:04:05Z");

/** Writes logs as the launcher does: a second between lines. */
class Writer implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "berth-log-test-"));
  readonly source: LogSource;
  #count = 0;

  constructor(driver: LogSource["driver"], maxFile = 3) {
    this.source = { driver, path: join(this.#directory, "c.log"), maxFile };
  }

  line(text: string, stream: "stdout" | "stderr" = "stdout", attrs?: Record<string, string>): void {
    const ms = START + this.#count++ * 1000;
    const { driver, path } = this.source;
    appendFileSync(
      path,
      driver === "local"
        ? localRecord(ms, stream, text)
        : `${JSON.stringify({ log: text, stream, ...(attrs ? { attrs } : {}), time: new Date(ms).toISOString() })}\n`,
    );
  }

  lines(count: number): void {
    for (let i = 0; i < count; i++) this.line(`${this.#count}\n`);
  }

  rotate(): void {
    const { path, maxFile } = this.source;
    for (let i = maxFile - 1; i > 0; i--) {
      try {
        renameSync(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`);
      } catch {}
    }
  }

  async read(query?: LogQuery): Promise<string> {
    let text = "";
    for await (const { line } of readLog(this.source, query)) text += line;
    return text;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

function localRecord(ms: number, stream: string, text: string): Buffer {
  const line = Buffer.from(text);
  const record = Buffer.alloc(line.length + 17);
  record.writeUInt32LE(line.length + 13, 0);
  record.writeBigUInt64LE(BigInt(ms) * 1_000_000n + 5n, 4);
  record[12] = stream === "stderr" ? 2 : 1;
  line.copy(record, 13);
  record.writeUInt32LE(line.length + 13, line.length + 13);
  return record;
}

const at = (second: number): Date => new Date(START + second * 1000);
const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join("");

for (const driver of ["json-file", "local"] as const) {
  test(`${driver}: tail, since and until through rotated files`, async () => {
    using writer = new Writer(driver);
    assert.equal(await writer.read(), "");
    assert.equal(await writer.read({ tail: 3 }), "");
    writer.lines(10);
    writer.rotate();
    writer.lines(10);
    writer.rotate();
    writer.lines(5);
    assert.equal(await writer.read(), numbers(0, 24));
    assert.equal(await writer.read({ tail: 0 }), "");
    assert.equal(await writer.read({ tail: 3 }), numbers(22, 24));
    assert.equal(await writer.read({ tail: 5 }), numbers(20, 24));
    assert.equal(await writer.read({ tail: 6 }), numbers(19, 24));
    assert.equal(await writer.read({ tail: 22 }), numbers(3, 24));
    assert.equal(await writer.read({ tail: 500 }), numbers(0, 24));
    assert.equal(await writer.read({ since: at(19) }), numbers(19, 24));
    assert.equal(await writer.read({ since: at(99) }), "");
    assert.equal(await writer.read({ until: at(11) }), numbers(0, 11));
    assert.equal(await writer.read({ since: at(5), until: at(11) }), numbers(5, 11));
    assert.equal(await writer.read({ tail: 10, until: at(16) }), numbers(15, 16));
    writer.rotate();
    writer.lines(1);
    assert.equal(await writer.read(), numbers(10, 25));
  });

  test(`${driver}: a tail that is larger than a block`, async () => {
    using writer = new Writer(driver);
    writer.lines(9000);
    assert.equal(await writer.read({ tail: 8000 }), numbers(1000, 8999));
    assert.equal(await writer.read({ since: at(8998) }), numbers(8998, 8999));
  });

  test(`${driver}: streams, times, parts of lines`, async () => {
    using writer = new Writer(driver);
    writer.line("ü\n", "stderr");
    writer.line("no end");
    const [first, second] = await Array.fromAsync(readLog(writer.source));
    assert.equal(first?.stream, "stderr");
    assert.equal(first?.line.toString(), "ü\n");
    assert.equal(first?.time.getTime(), START);
    assert.match(String(first?.timestamp), /^2026-01-02T03:04:05\.00000000[05]Z$/);
    assert.equal(second?.line.toString(), "no end");
  });

  test(`${driver}: follows through rotations until the end`, async () => {
    using writer = new Writer(driver);
    writer.lines(3);
    const end = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { line } of readLog(writer.source, { follow: end.signal, tail: 1 })) {
        seen.push(String(line).trim());
        if (seen.length === 1) writer.lines(2);
        if (seen.length === 3) {
          writer.lines(1);
          writer.rotate();
          writer.lines(2);
          writer.rotate();
          writer.lines(2);
        }
        if (seen.length === 8) {
          writer.lines(2);
          end.abort();
        }
      }
    })();
    await reading;
    assert.deepEqual(seen, ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
  });

  test(`${driver}: a client that goes away ends it at once`, async () => {
    using writer = new Writer(driver);
    writer.lines(1);
    const client = new AbortController();
    const lines = readLog(writer.source, { follow: new AbortController().signal }, client.signal);
    assert.equal((await lines.next()).done, false);
    setTimeout(() => client.abort(), 20);
    assert.equal((await lines.next()).done, true);
  });

  test(`${driver}: following ends when until has passed`, async () => {
    using writer = new Writer(driver);
    writer.lines(1);
    const query = { follow: new AbortController().signal, until: new Date(Date.now() + 50) };
    assert.equal(await writer.read(query), "0\n");
  });
}

for (const driver of ["json-file", "local"] as const) {
  test(`${driver}: what is written while it is read is for those who follow`, async () => {
    using writer = new Writer(driver);
    writer.lines(3);
    const read: string[] = [];
    for await (const { line } of readLog(writer.source, { tail: 2 })) {
      read.push(String(line));
      if (read.length < 100) writer.line("late\n");
    }
    assert.deepEqual(read, ["1\n", "2\n"]);
  });
}

test("json-file: attributes, and damaged lines are left out", async () => {
  using writer = new Writer("json-file");
  writer.line("a\n", "stdout", { colour: "red" });
  appendFileSync(writer.source.path, '{"log":"torn\n');
  writer.line("b\n");
  appendFileSync(writer.source.path, '{"log":"still being written');
  const records = await Array.fromAsync(readLog(writer.source));
  assert.deepEqual(
    records.map(({ line, attrs }) => [String(line), attrs]),
    [
      ["a\n", { colour: "red" }],
      ["b\n", undefined],
    ],
  );
  assert.equal(await writer.read({ tail: 1 }), "b\n");
});
