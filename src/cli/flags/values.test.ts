import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBytes, parseDuration, parseNanoCpus, parseValue } from "./values.ts";

test("sizes are powers of 1024", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["512", 512],
    ["64k", 65536],
    ["64KB", 65536],
    ["1.5GiB", 1.5 * 1024 ** 3],
    ["2 m", 2 * 1024 ** 2],
    ["7b", 7],
    [".5k", 512],
  ];
  for (const [text, bytes] of cases) assert.equal(parseBytes(text), bytes, text);
  assert.throws(() => parseBytes("x"), { message: "invalid size: 'x'" });
  assert.throws(() => parseBytes("-1"), { message: "invalid size: '-1'" });
  assert.throws(() => parseBytes("1kx"), { message: "invalid suffix: 'kx'" });
  assert.throws(() => parseBytes("1.2.3"), {
    message: 'strconv.ParseFloat: parsing "1.2.3": invalid syntax',
  });
});

test("durations are nanoseconds", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["1h30m", 5400e9],
    ["1.5s", 1.5e9],
    ["-2ms", -2e6],
    ["10us", 10_000],
    ["3µs", 3000],
  ];
  for (const [text, nanos] of cases) assert.equal(parseDuration(text), nanos, text);
  assert.throws(() => parseDuration("1"), { message: 'time: missing unit in duration "1"' });
  assert.throws(() => parseDuration("1x"), { message: 'time: unknown unit "x" in duration "1x"' });
  assert.throws(() => parseDuration(""), { message: 'time: invalid duration ""' });
});

test("CPUs are billionths", () => {
  assert.equal(parseNanoCpus("1.5"), 1.5e9);
  assert.equal(parseNanoCpus(".25"), 0.25e9);
  assert.equal(parseNanoCpus("0.000000001"), 1);
  assert.throws(() => parseNanoCpus("1.00000000001"), { message: "value is too precise" });
  assert.throws(() => parseNanoCpus("a"), { message: "failed to parse a as a rational number" });
});

test("integers are checked for form and range", () => {
  const value = (type: "int" | "uint16", text: string) => parseValue({ type, help: "" }, text, undefined);
  assert.equal(value("int", "-5"), -5);
  assert.equal(value("int", "0x10"), 16);
  assert.equal(value("int", "010"), 8);
  assert.throws(() => value("int", "x"), { message: 'strconv.ParseInt: parsing "x": invalid syntax' });
  assert.throws(() => value("uint16", "70000"), {
    message: 'strconv.ParseUint: parsing "70000": value out of range',
  });
});
