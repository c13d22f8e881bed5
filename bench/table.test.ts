import assert from "node:assert/strict";
import { test } from "node:test";
import { digits, table } from "./table.ts";
import { type Measured, measure, ratio, type Work } from "./work.ts";

const row = (samples: Record<string, number[]>, better: Measured["better"] = "less"): Measured => ({
  title: "work",
  unit: "ms",
  better,
  samples: new Map(Object.entries(samples)),
});

test("three digits that matter", () => {
  assert.deepEqual([0.1234, 1.234, 12.34, 123.4, Number.NaN].map(digits), [
    "0.123",
    "1.23",
    "12.3",
    "123",
    "–",
  ]);
});

test("a peer's cell says how many times better Berth is", () => {
  assert.match(table([row({ berth: [10], dockerd: [650] })])[2] ?? "", /650 ms \(65\.0×\)/);
  assert.match(table([row({ berth: [100], dockerd: [4] }, "more")])[2] ?? "", /4\.00 ms \(25\.0×\)/);
});

test("who was not measured has a dash", () => {
  const lines = table([row({ berth: [1], runc: [2] }), row({ berth: [1], crun: [2] })]);
  assert.match(lines[2] ?? "", /\| – +\|$/);
});

test("a ratio divides medians of the same contender", () => {
  const above = row({ berth: [30, 30, 90], dockerd: [60] });
  const divided = ratio("r", above, row({ berth: [20], dockerd: [30] }), 1.6);
  assert.deepEqual(
    [...divided.samples],
    [
      ["berth", [1.5]],
      ["dockerd", [2]],
    ],
  );
});

test("works that are compared are done in turn, the first rounds uncounted", async () => {
  const done: string[] = [];
  const work = (title: string): Work => ({
    title,
    unit: "ms",
    better: "less",
    rounds: 1,
    warmups: 1,
    contenders: new Map([["berth", async () => done.push(title)]]),
  });
  const measured = await measure(work("a"), work("b"));
  assert.deepEqual(done, ["a", "b", "b", "a"]);
  assert.deepEqual(
    measured.map(({ title, samples }) => [title, samples.get("berth")]),
    [
      ["a", [4]],
      ["b", [3]],
    ],
  );
});
