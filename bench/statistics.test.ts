import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile } from "./statistics.ts";

test("the median of an odd count is the middle, of an even count between the two in the middle", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("a quantile lies between its neighbours", () => {
  assert.equal(quantile([0, 10], 0.9), 9);
  assert.equal(quantile([5], 0.1), 5);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});
