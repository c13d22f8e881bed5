import assert from "node:assert/strict";
import { test } from "node:test";
import { healthCheckOf, validateHealthcheck } from "./config.ts";
import { nextHealth, pauseBefore, startingHealth } from "./state.ts";

const second = 1e9;
const check = healthCheckOf({
  Healthcheck: { Test: ["CMD", "probe"], Interval: 2 * second, StartPeriod: 10 * second, Retries: 2 },
});
assert.ok(check);
const result = (ExitCode: number) => ({ ExitCode, Output: String(ExitCode) });

test("Docker's defaults, shells and kinds", () => {
  assert.deepEqual(healthCheckOf({ Healthcheck: { Test: ["CMD-SHELL", "a b"] } }), {
    command: ["/bin/sh", "-c", "a b"],
    interval: 30_000,
    timeout: 30_000,
    startPeriod: 0,
    startInterval: 5_000,
    retries: 3,
  });
  const shell = healthCheckOf({ Healthcheck: { Test: ["CMD-SHELL", "x"] }, Shell: ["/bin/ash", "-ec"] });
  assert.deepEqual(shell?.command, ["/bin/ash", "-ec", "x"]);
  for (const Test of [["NONE"], [], ["CMD"], ["WHAT", "x"]]) {
    assert.equal(healthCheckOf({ Healthcheck: { Test } }), null);
  }
  assert.equal(healthCheckOf({}), null);
});

test("times below a millisecond and negative retries are refused with dockerd's words", () => {
  validateHealthcheck(undefined);
  validateHealthcheck({ Interval: 0, Timeout: 1e6, Retries: 0 });
  assert.throws(() => validateHealthcheck({ StartPeriod: 1 }), {
    code: "INVALID_PARAMETER",
    message: "StartPeriod in Healthcheck cannot be less than 1ms",
  });
  assert.throws(() => validateHealthcheck({ Retries: -1 }), /Retries in Healthcheck cannot be negative/);
});

test("failures count after the start period, one success makes healthy", () => {
  let health = nextHealth(startingHealth(null), result(1), check, 5_000);
  assert.deepEqual([health.Status, health.FailingStreak], ["starting", 0]);
  health = nextHealth(health, result(1), check, 11_000);
  assert.deepEqual([health.Status, health.FailingStreak], ["starting", 1]);
  health = nextHealth(health, result(1), check, 13_000);
  assert.deepEqual([health.Status, health.FailingStreak], ["unhealthy", 2]);
  health = nextHealth(health, result(0), check, 15_000);
  assert.deepEqual([health.Status, health.FailingStreak], ["healthy", 0]);
  // Once it was healthy, the start period excuses nothing.
  health = nextHealth(health, result(-1), check, 5_000);
  assert.deepEqual([health.Status, health.FailingStreak], ["healthy", 1]);
});

test("the last five results are kept, over restarts too", () => {
  let health = startingHealth(null);
  for (let code = 1; code <= 7; code++) health = nextHealth(health, result(code), check, 20_000);
  assert.deepEqual(
    health.Log?.map(({ ExitCode }) => ExitCode),
    [3, 4, 5, 6, 7],
  );
  assert.equal(startingHealth(health).Log?.length, 5);
  assert.deepEqual([startingHealth(health).Status, startingHealth(health).FailingStreak], ["starting", 0]);
});

test("the start interval holds until the container is healthy or the period is over", () => {
  assert.equal(pauseBefore(startingHealth(null), check, 0), 5_000);
  assert.equal(pauseBefore(startingHealth(null), check, 10_000), 2_000);
  assert.equal(pauseBefore({ Status: "healthy" }, check, 0), 2_000);
});
