import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { startLocked } from "./lifecycle.ts";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run this long is a success: the next failure starts again with the shortest delay. */
const GOOD_RUN_MS = 10_000;

/** When to start again, by docker's back-off: doubling from 100 ms to a minute. */
export interface RestartPlan {
  delayMs: number;
}

/** Whether the container's policy wants another run after this exit, and when. */
export function shouldRestart(container: Container, exitCode: number, ranMs: number): RestartPlan | null {
  const { hostConfig, state } = container.record;
  const policy = hostConfig.RestartPolicy?.Name ?? "no";
  const maximum = hostConfig.RestartPolicy?.MaximumRetryCount ?? 0;
  if (state.stoppedByUser || policy === "no" || policy === "") return null;
  if (policy === "on-failure" && (exitCode === 0 || (maximum > 0 && state.restartCount >= maximum)))
    return null;
  container.restartDelayMs =
    ranMs >= GOOD_RUN_MS || container.restartDelayMs === 0
      ? FIRST_DELAY_MS
      : Math.min(container.restartDelayMs * 2, LONGEST_DELAY_MS);
  return { delayMs: container.restartDelayMs };
}

/** Starts the container after the delay unless it is stopped or removed before. */
export function scheduleRestart(context: EngineContext, container: Container, plan: RestartPlan): void {
  const timer = setTimeout(() => void restart(context, container), plan.delayMs);
  container.onStop.add(() => clearTimeout(timer));
}

function restart(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status !== "restarting") return;
    container.record.state.restartCount++;
    try {
      await startLocked(context, container);
    } catch (error) {
      // The failed start is recorded in the container's state, where inspect shows it.
      context.log.warn("restart failed", { container: container.id, error: String(error) });
      const plan = shouldRestart(container, container.record.state.exitCode, 0);
      if (!plan) return;
      container.record.state.status = "restarting";
      context.table.save(container);
      scheduleRestart(context, container, plan);
    }
  });
}
