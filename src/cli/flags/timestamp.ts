import { CliError } from "../errors.ts";
import { parseDuration } from "./values.ts";

/**
 * A time as the API takes it, in seconds with nanoseconds: a duration (`42m`) counts back from now, a
 * date without a zone is local, and a number is passed on. Throws
 * `CliError`, whose text begins with `prefix`.
 */
export function toTimestamp(value: string, prefix = "", now = Date.now()): string {
  const ago = durationMs(value);
  if (ago !== undefined) return seconds(now - ago, "");
  if (/^\d+(\.\d+)?$/.test(value)) return value;
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}(?::\d{2}(?::\d{2})?)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
      value,
    );
  const [, day, time = "00:00:00", fraction = "", zone = ""] = match ?? [];
  const date = new Date(`${day}T${time.padEnd(8, ":00:00".slice(time.length - 2))}${zone}`);
  if (!match || Number.isNaN(date.getTime()))
    throw new CliError(`${prefix}failed to parse value as time or duration: ${JSON.stringify(value)}`);
  return seconds(date.getTime(), fraction);
}

function durationMs(value: string): number | undefined {
  try {
    return parseDuration(value) / 1e6;
  } catch {
    return undefined;
  }
}

function seconds(ms: number, fraction: string): string {
  const whole = Math.floor(ms / 1000);
  const nanos = fraction
    ? fraction.padEnd(9, "0")
    : String(Math.round((ms - whole * 1000) * 1e6)).padStart(9, "0");
  return `${whole}.${nanos}`;
}
