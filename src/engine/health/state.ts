import type { Health, HealthcheckResult } from "@docker/node-sdk";
import type { HealthCheck } from "./config.ts";

const LOG_ENTRIES = 5;

/** The state at a container's start; the log of earlier runs stays. */
export const startingHealth = (previous: Health | null): Health => ({
  Status: "starting",
  FailingStreak: 0,
  Log: previous?.Log ?? [],
});

/**
 * The state after a probe, by Docker's rules: one success makes healthy, `retries` failures in a row
 * make unhealthy, and failures within the start period of a container that was never healthy do not count.
 */
export function nextHealth(
  health: Health,
  result: HealthcheckResult,
  check: HealthCheck,
  ranMs: number,
): Health {
  const Log = [...(health.Log ?? []), result].slice(-LOG_ENTRIES);
  if (result.ExitCode === 0) return { Status: "healthy", FailingStreak: 0, Log };
  const before = health.FailingStreak ?? 0;
  const excused = health.Status === "starting" && ranMs < check.startPeriod;
  const FailingStreak = excused ? before : before + 1;
  const fails = !excused && FailingStreak >= check.retries;
  return { Status: fails ? "unhealthy" : health.Status, FailingStreak, Log };
}

/** How long until the next probe, in milliseconds. */
export function pauseBefore(health: Health, check: HealthCheck, ranMs: number): number {
  const starting = health.Status === "starting" && ranMs < check.startPeriod;
  return starting ? check.startInterval : check.interval;
}
