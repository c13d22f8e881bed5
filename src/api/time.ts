import { invalid } from "../lib/errors.ts";

const unix = /^-?\d+(\.\d{1,9})?$/;
const duration = /^-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/;
const part = /(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g;

/** Go's duration units in milliseconds. */
const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };

/**
 * A time as clients of the API write it: seconds since 1970 with up to nine decimals, RFC 3339, or a
 * Go duration ("1h30m") before `now`. Throws INVALID_PARAMETER with dockerd's words.
 */
export function parseTime(text: string, now: number = Date.now()): Date {
  if (unix.test(text)) return new Date(Number(text) * 1000);
  if (duration.test(text)) {
    let ms = 0;
    for (const [, count, unit] of text.matchAll(part)) ms += Number(count) * (units[unit ?? ""] ?? 0);
    return new Date(now - (text.startsWith("-") ? -ms : ms));
  }
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return new Date(time);
}
