import type { Container, HealthMonitor } from "../container.ts";
import { containerEvent } from "../container-events.ts";
import type { EngineContext } from "../context.ts";
import { restartContainer } from "../stop.ts";
import { type HealthCheck, healthCheckOf } from "./config.ts";
import { runProbe } from "./probe.ts";
import { nextHealth, pauseBefore, startingHealth } from "./state.ts";

/** A label or annotation that has an unhealthy container restarted. */
const RESTART_LABEL = "berth.restart-on-unhealthy";

/** Sets the state of health for a start, before the container is watched. */
export function resetHealth(container: Container): void {
  const { config, state } = container.record;
  state.health = healthCheckOf(config) ? startingHealth(state.health) : null;
}

/** Probes a container's health from now on until it stops or is paused; nothing without a check. */
export function watchHealth(context: EngineContext, container: Container): void {
  const check = healthCheckOf(container.record.config);
  if (!check || container.status === "paused") return;
  container.record.state.health ??= startingHealth(null);
  const monitor = new Monitor(context, container, check);
  container.onStop.add(() => monitor.stop());
  container.health = monitor;
}

/** One probe after the other for one run of a container. */
class Monitor implements HealthMonitor {
  readonly #context: EngineContext;
  readonly #container: Container;
  readonly #check: HealthCheck;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: EngineContext, container: Container, check: HealthCheck) {
    this.#context = context;
    this.#container = container;
    this.#check = check;
    this.#schedule();
  }

  stop(): void {
    if (this.#stop.signal.aborted) return;
    this.close();
    const { state } = this.#container.record;
    // Docker's word for "nobody looks any more".
    if (state.health) state.health = { ...state.health, Status: "unhealthy" };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  get #ranMs(): number {
    return Date.now() - Date.parse(this.#container.record.state.startedAt);
  }

  #schedule(): void {
    const { health } = this.#container.record.state;
    if (this.#stop.signal.aborted || !health) return;
    this.#timer = setTimeout(
      () => {
        this.#probe().catch((error: unknown) => {
          this.#context.log.error("health check", { container: this.#container.id, error });
        });
      },
      pauseBefore(health, this.#check, this.#ranMs),
    );
  }

  async #probe(): Promise<void> {
    const { execs, table, log } = this.#context;
    const { record } = this.#container;
    const ranMs = this.#ranMs;
    const result = await runProbe(execs, record.id, this.#check, this.#stop.signal);
    const before = record.state.health;
    if (this.#stop.signal.aborted || !before) return;
    const after = nextHealth(before, result, this.#check, ranMs);
    record.state.health = after;
    table.save(this.#container);
    this.#schedule();
    if (after.Status === before.Status) return;
    containerEvent(this.#context, this.#container, `health_status: ${after.Status}`);
    if (after.Status === "unhealthy" && restartsUnhealthy(this.#container)) {
      restartContainer(this.#context, this.#container).catch((error: unknown) => {
        log.warn("could not restart an unhealthy container", { container: record.id, error: String(error) });
      });
    }
  }
}

function restartsUnhealthy({ record }: Container): boolean {
  const { config, hostConfig } = record;
  return (config.Labels?.[RESTART_LABEL] ?? hostConfig.Annotations?.[RESTART_LABEL]) === "true";
}
