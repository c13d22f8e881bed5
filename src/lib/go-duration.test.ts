import assert from "node:assert/strict";
import { test } from "node:test";
import { goDuration } from "./go-duration.ts";

test("durations as Go prints them", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [0.5, "500µs"],
    [500, "500ms"],
    [1500, "1.5s"],
    [30_000, "30s"],
    [90_000, "1m30s"],
    [3_600_000, "1h0m0s"],
    [-30_000, "-30s"],
  ];
  for (const [ms, text] of cases) assert.equal(goDuration(ms), text);
});
