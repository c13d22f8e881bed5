import assert from "node:assert/strict";
import { test } from "node:test";
import { humanSize, progressBar } from "./progress.ts";

test("sizes have four significant digits and decimal units", () => {
  assert.equal(humanSize(0), "0B");
  assert.equal(humanSize(999), "999B");
  assert.equal(humanSize(1000), "1kB");
  assert.equal(humanSize(32768), "32.77kB");
  assert.equal(humanSize(4_233_728), "4.234MB");
});

test("the bar is fifty wide", () => {
  assert.equal(progressBar(0, 0), "");
  assert.equal(progressBar(2000, 0), "     2kB");
  assert.equal(progressBar(32768, 4_233_728), `[>${" ".repeat(50)}]  32.77kB/4.234MB`);
  assert.equal(progressBar(1000, 1000), `[${"=".repeat(50)}>]      1kB/1kB`);
  assert.equal(progressBar(3000, 1000), `[${"=".repeat(50)}>]      3kB`);
});
