import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesSize, ellipsis, formatG, goTimeNanos, humanDuration, humanSize, shortId } from "./units.ts";

test("sizes have four significant digits, or as many as asked", () => {
  assert.equal(humanSize(0), "0B");
  assert.equal(humanSize(999), "999B");
  assert.equal(humanSize(1000), "1kB");
  assert.equal(humanSize(1_983_987), "1.984MB");
  assert.equal(humanSize(1_983_987, 3), "1.98MB");
  assert.equal(humanSize(999_999, 3), "1e+03kB");
  assert.equal(bytesSize(25_276_510_208), "23.54GiB");
  assert.equal(bytesSize(618_496), "604KiB");
  assert.equal(formatG(0.00001234, 3), "1.23e-05");
});

test("durations are rough, as people say them", () => {
  const second = 1000;
  const hour = 3600 * second;
  const cases: [number, string][] = [
    [0, "Less than a second"],
    [second, "1 second"],
    [59 * second, "59 seconds"],
    [60 * second, "About a minute"],
    [119 * second, "About a minute"],
    [120 * second, "2 minutes"],
    [59 * 60 * second, "59 minutes"],
    [hour, "About an hour"],
    [1.5 * hour, "2 hours"],
    [47 * hour, "47 hours"],
    [48 * hour, "2 days"],
    [13 * 24 * hour, "13 days"],
    [14 * 24 * hour, "2 weeks"],
    [60 * 24 * hour, "2 months"],
    [730 * 24 * hour, "2 years"],
  ];
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text);
});

test("text and ids are cut", () => {
  assert.equal(ellipsis("short", 20), "short");
  assert.equal(ellipsis("sh -c 'echo hi; echo ho'", 20), "sh -c 'echo hi; ech…");
  assert.equal(shortId("sha256:0123456789abcdef"), "0123456789ab");
  assert.equal(shortId("0123456789abcdef"), "0123456789ab");
});

test("times print as Go prints them", () => {
  assert.match(
    goTimeNanos("2026-11-24T04:07:57.304502509Z"),
    /^2026-11-24 \d\d:\d\d:57\.304502509 [+-]\d{4} \S+$/,
  );
});
