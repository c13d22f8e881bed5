import type { HealthConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";

const flags: Record<string, keyof HealthConfig> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

const units: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/** The shortest time between checks, in nanoseconds. */
const shortest = 1e6;

/**
 * HEALTHCHECK's arguments: NONE, or flags and CMD with a command, whose words `json` finds when it has that form.
 * Throws INVALID_PARAMETER.
 */
export function changeHealthcheck(text: string, json: (rest: string) => string[] | undefined): HealthConfig {
  const config: HealthConfig = {};
  let rest = text;
  for (;;) {
    const flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest);
    if (!flag) break;
    rest = rest.slice(flag[0].length);
    setFlag(config, flag[1] ?? "", flag[2] ?? "");
  }
  const [, kind = "", arguments_ = ""] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  if (kind.toUpperCase() === "NONE") {
    if (arguments_ !== "") throw invalid("HEALTHCHECK NONE takes no arguments");
    return { Test: ["NONE"] };
  }
  if (kind.toUpperCase() !== "CMD")
    throw invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (arguments_ === "") throw invalid("Missing command after HEALTHCHECK CMD");
  const words = json(arguments_);
  config.Test = words ? ["CMD", ...words] : ["CMD-SHELL", arguments_];
  return config;
}

function setFlag(config: HealthConfig, name: string, value: string): void {
  if (name === "retries") {
    if (!/^-?\d+$/.test(value)) throw invalid(`--retries must be a number, not ${JSON.stringify(value)}`);
    if (Number(value) < 0) throw invalid(`--retries cannot be negative (${value})`);
    config.Retries = Number(value);
    return;
  }
  const key = flags[name];
  if (key === undefined || key === "Test") throw invalid(`unknown flag: --${name}`);
  const time = nanoseconds(name, value);
  if (time > 0 && time < shortest) throw invalid(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  config[key] = time;
}

function nanoseconds(name: string, value: string): number {
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(value)) {
    throw invalid(`time: invalid duration ${JSON.stringify(value)} for --${name}`);
  }
  let sum = 0;
  for (const [, count, unit] of value.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(count) * (units[unit ?? ""] ?? 0);
  }
  return sum;
}
