import type { ContainerConfig, HealthConfig } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";

const NANOS_PER_MS = 1e6;
const SHORTEST_NANOS = NANOS_PER_MS;
const DEFAULT_SHELL = ["/bin/sh", "-c"];

/** A health check ready to run, Docker's defaults filled in. Times in milliseconds. */
export interface HealthCheck {
  command: string[];
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  /** Failures in a row until the container is unhealthy. */
  retries: number;
}

/** Throws dockerd's texts for times below a millisecond and negative retries. */
export function validateHealthcheck(check: HealthConfig | undefined): void {
  if (!check) return;
  const times = ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const;
  for (const name of times) {
    const nanos = check[name] ?? 0;
    if (nanos !== 0 && nanos < SHORTEST_NANOS) {
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check.Retries ?? 0) < 0) throw invalid("Retries in Healthcheck cannot be negative");
}

/** The check a container asks for; null for none, also when it is switched off or of an unknown kind. */
export function healthCheckOf({ Healthcheck: check, Shell: shell }: ContainerConfig): HealthCheck | null {
  const [kind, ...words] = check?.Test ?? [];
  if (!check || (kind !== "CMD" && kind !== "CMD-SHELL") || words.length === 0) return null;
  const ms = (nanos: number | undefined, fallback: number): number =>
    nanos ? nanos / NANOS_PER_MS : fallback;
  return {
    command: kind === "CMD" ? words : [...(shell?.length ? shell : DEFAULT_SHELL), ...words],
    interval: ms(check.Interval, 30_000),
    timeout: ms(check.Timeout, 30_000),
    startPeriod: ms(check.StartPeriod, 0),
    startInterval: ms(check.StartInterval, 5_000),
    retries: check.Retries || 3,
  };
}
