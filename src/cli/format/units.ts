const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/** A size in powers of 1000: `1.98MB`; `precision` significant digits. */
export function humanSize(bytes: number, precision = 4): string {
  return scaled(bytes, 1000, decimalUnits, precision);
}

/** A size in powers of 1024: `1.5GiB`. */
export function bytesSize(bytes: number, precision = 4): string {
  return scaled(bytes, 1024, binaryUnits, precision);
}

function scaled(bytes: number, base: number, units: readonly string[], precision: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= base && unit < units.length - 1; unit++) value /= base;
  return formatG(value, precision) + units[unit];
}

/** A number with `precision` significant digits, as C's %g. */
export function formatG(value: number, precision: number): string {
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(precision - 1).split("e")[1]);
  if (exponent < -4 || exponent >= precision) {
    const [digits = "", power = ""] = value.toExponential(precision - 1).split("e");
    const sign = power.startsWith("-") ? "-" : "+";
    return `${stripZeros(digits)}e${sign}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
  }
  return stripZeros(value.toFixed(precision - 1 - exponent));
}

function stripZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}

/** How long a duration of `ms` milliseconds is, roughly: `3 seconds`, `About an hour`, `2 weeks`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(ms / 60_000);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(ms / 3600_000 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(ms / 3600_000 / 24 / 365)} years`;
}

/** `2 minutes ago`, for a time in seconds since the epoch. */
export function timeAgo(seconds: number, now = Date.now()): string {
  return `${humanDuration(now - seconds * 1000)} ago`;
}

/** A local time as Go prints one: `2026-11-24 04:14:34 +0000 UTC`. */
export function goTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? "-" : "+";
  const zone = `${sign}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time} ${zone} ${zoneName(date, offset, zone)}`;
}

function zoneName(date: Date, offset: number, zone: string): string {
  if (offset === 0) return "UTC";
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  const name = parts.find((part) => part.type === "timeZoneName")?.value ?? zone;
  return /^[A-Z]+$/.test(name) ? name : zone;
}

/** `text` cut to `width` characters, the last an ellipsis when something was cut. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  if (width <= 1) return characters.slice(0, width).join("");
  return `${characters.slice(0, width - 1).join("")}…`;
}

/** The short form of an id: twelve digits without the algorithm. */
export function shortId(id: string): string {
  return id.replace(/^[a-z0-9]+:/, "").slice(0, 12);
}

/** An RFC 3339 time as Go prints it, with its fraction: `2026-11-24 04:07:57.304502509 +0000 UTC`. */
export function goTimeNanos(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const fraction = /\.(\d+)/.exec(text)?.[1]?.replace(/0+$/, "");
  return goTime(date).replace(/(?<=:\d\d) /, fraction ? `.${fraction} ` : " ");
}
