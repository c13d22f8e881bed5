import { invalid } from "./errors.ts";

const unix = /^(-?\d+)(?:\.(\d{1,9}))?$/;
const duration = /^-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/;
const part = /(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g;
const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?))?(Z|[+-]\d\d:\d\d)?$/;

/** Go's duration units in milliseconds. */
const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };

/**
 * A time as clients of the API write it: seconds since 1970 with up to nine decimals, a date or an
 * RFC 3339 time (local without a zone), or a Go duration ("1h30m") before `now`, in milliseconds.
 * Throws INVALID_PARAMETER with dockerd's words.
 */
export function parseTime(text: string, now: number = Date.now()): Date {
  const [, seconds, decimals = ""] = unix.exec(text) ?? [];
  // By parts, since a double has too few digits for nanoseconds.
  if (seconds) return new Date(Number(seconds) * 1000 + Number(decimals.padEnd(3, "0").slice(0, 3)));
  if (duration.test(text)) {
    let ms = 0;
    for (const [, count, unit] of text.matchAll(part)) ms += Number(count) * (units[unit ?? ""] ?? 0);
    return new Date(now - (text.startsWith("-") ? -ms : ms));
  }
  const [, day, time = "00", zone = ""] = date.exec(text) ?? [];
  // Without a time of day JavaScript would take a date for UTC, without minutes it reads nothing.
  const ms = day ? Date.parse(`${day}T${time.length === 2 ? `${time}:00` : time}${zone}`) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return new Date(ms);
}
