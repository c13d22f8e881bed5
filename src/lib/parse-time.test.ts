import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTime } from "./parse-time.ts";

const now = Date.parse("2026-01-02T03:04:05.678Z");
const iso = (text: string): string => parseTime(text, now).toISOString();

test("unix seconds with and without decimals", () => {
  assert.equal(iso("1136073845"), "2006-01-01T00:04:05.000Z");
  assert.equal(iso("1136073845.000000001"), "2006-01-01T00:04:05.000Z");
  assert.equal(iso("1136073845.999999999"), "2006-01-01T00:04:05.999Z");
});

test("RFC 3339 in all lengths; local without a zone", () => {
  assert.equal(iso("2006-01-02T15:04:05.123456789Z"), "2006-01-02T15:04:05.123Z");
  assert.equal(iso("2006-01-02T15:04:05+01:00"), "2006-01-02T14:04:05.000Z");
  assert.equal(iso("2006-01-02Z"), "2006-01-02T00:00:00.000Z");
  assert.equal(parseTime("2006-01-02").getTime(), new Date(2006, 0, 2).getTime());
  assert.equal(parseTime("2006-01-02T15").getTime(), new Date(2006, 0, 2, 15).getTime());
  assert.equal(parseTime("2006-01-02T15:04").getTime(), new Date(2006, 0, 2, 15, 4).getTime());
});

test("durations count back from now", () => {
  assert.equal(iso("1h30m"), "2026-01-02T01:34:05.678Z");
  assert.equal(iso("1.5s"), "2026-01-02T03:04:04.178Z");
  assert.equal(iso("-10s"), "2026-01-02T03:04:15.678Z");
});

test("anything else is refused with dockerd's words", () => {
  for (const text of ["", "yesterday", "2006-13-45", "10d", "2006-01-02 15:04"]) {
    assert.throws(() => parseTime(text), {
      code: "INVALID_PARAMETER",
      message: `failed to parse value as time or duration: "${text}"`,
    });
  }
});
