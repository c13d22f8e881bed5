import assert from "node:assert/strict";
import { test } from "node:test";
import { Writer, writePlan } from "./encode.ts";
import { Plan } from "./plan.ts";

test("integers are two's complement, little-endian", () => {
  const bytes = new Writer(1)
    .i64(-1)
    .i64(5)
    .i64(-5_000_000_000)
    .i64(2n ** 63n)
    .finish();
  assert.deepEqual(
    [0, 8, 16, 24].map((at) => bytes.readBigInt64LE(at)),
    [-1n, 5n, -5_000_000_000n, -(2n ** 63n)],
  );
  assert.throws(() => new Writer().i64(2 ** 60), RangeError);
  assert.throws(() => new Writer().i64(0.5), RangeError);
});

test("strings have their length in bytes and a zero byte", () => {
  const bytes = new Writer(1)
    .bytes("é€")
    .bytes(Buffer.from([0, 1]))
    .finish();
  assert.deepEqual([...bytes], [5, 0, 0, 0, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0, 2, 0, 0, 0, 0, 1, 0]);
});

test("a plan is its phases' steps, counted", () => {
  const plan = new Plan();
  const slot = plan.slot("file");
  plan.add("host", "openat", [slot, null, "/x", 2, 0], "why", 17);
  plan.add("child", "close", [slot], "why");
  const writer = new Writer();
  writePlan(writer, plan);
  const bytes = writer.finish();
  assert.equal(bytes.readUInt16LE(0), 1);
  assert.equal(bytes.readUInt16LE(3), 17);
  assert.deepEqual([...bytes.subarray(5, 7)], [1, 255]);
  assert.deepEqual([...bytes.subarray(bytes.length - 8)], [0, 0, 1, 0, 2, 0, 0, 1]);
});

test("zero bytes in strings and arguments that do not fit are refused", () => {
  const encode = (plan: Plan) => writePlan(new Writer(), plan);
  assert.throws(() => encode(new Plan().add("host", "umount2", ["a\0b", 0], "")), RangeError);
  const plan = new Plan();
  plan.steps.host.push({ op: "umount2", args: [1, 0], group: "", why: "", tolerate: 0 });
  assert.throws(() => encode(plan), TypeError);
});

test("descriptors are numbered to a limit", () => {
  const plan = new Plan();
  for (let i = 1; i < 200; i++) assert.equal(plan.slot("x").index, i);
  assert.throws(() => plan.slot("x"), RangeError);
});
