import type { Flag } from "./flag.ts";

/**
 * The value of a flag given as `text`; lists and maps grow from `previous`. Throws an Error whose
 * message is the reason.
 */
export function parseValue(flag: Flag, text: string, previous: unknown): unknown {
  const value = flag.check ? flag.check(text) : text;
  switch (flag.type) {
    case "bool":
      return parseBool(value);
    case "string":
      return value;
    case "list":
      return [...(Array.isArray(previous) ? previous : []), value];
    case "map": {
      const equals = value.indexOf("=");
      const [key, content] = equals < 0 ? [value, ""] : [value.slice(0, equals), value.slice(equals + 1)];
      return { ...(typeof previous === "object" ? previous : {}), [key]: content };
    }
    case "int":
      return parseInteger(value, "ParseInt", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    case "uint":
      return parseInteger(value, "ParseUint", 0, Number.MAX_SAFE_INTEGER);
    case "uint16":
      return parseInteger(value, "ParseUint", 0, 65535);
    case "decimal":
      return parseNanoCpus(value);
    case "duration":
      return parseDuration(value);
    case "bytes":
      return parseBytes(value);
    case "swap":
      return value === "-1" ? -1 : parseBytes(value);
  }
}

const quoted = (text: string): string => JSON.stringify(text);

/** Go's strconv.ParseBool. */
export function parseBool(text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${quoted(text)}: invalid syntax`);
}

function parseInteger(text: string, reader: string, min: number, max: number): number {
  const sign = min < 0 ? /^[+-]?/ : /^/;
  if (!new RegExp(`${sign.source}(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)$`).test(text))
    throw new Error(`strconv.${reader}: parsing ${quoted(text)}: invalid syntax`);
  const digits = text.replace(/^[+-]/, "").replace(/^0(?=[0-7]+$)/, "0o");
  const value = Number(digits) * (text.startsWith("-") ? -1 : 1);
  if (value < min || value > max)
    throw new Error(`strconv.${reader}: parsing ${quoted(text)}: value out of range`);
  return value;
}

/** A number of CPUs (`1.5`) in billionths of one. */
export function parseNanoCpus(text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)) throw new Error(`failed to parse ${text} as a rational number`);
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.length > 9 && /[1-9]/.test(fraction.slice(9))) throw new Error("value is too precise");
  const nanos = Number(whole.replace(/^[+-]/, "") || "0") * 1e9 + Number(fraction.slice(0, 9).padEnd(9, "0"));
  return text.startsWith("-") ? -nanos : nanos;
}

const sizeUnits = ["b", "k", "m", "g", "t", "p"];

/** A size as docker reads it: `512`, `64m`, `1.5GiB`, `2 kb`; units are powers of 1024. */
export function parseBytes(text: string): number {
  const [, number = "", suffix = ""] = /^(.*?[\d. ]?) ?([^\d. ]*)$/s.exec(text) ?? [];
  if (!/[\d. ]/.test(text)) throw new Error(`invalid size: '${text}'`);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(number))
    throw new Error(`strconv.ParseFloat: parsing ${quoted(number)}: invalid syntax`);
  if (number.startsWith("-")) throw new Error(`invalid size: '${text}'`);
  const unit = suffix.toLowerCase();
  const power = unit === "" ? 0 : sizeUnits.indexOf(unit[0] ?? "");
  if (power < 0 || !(power === 0 ? ["", "b"] : [unit[0], `${unit[0]}b`, `${unit[0]}ib`]).includes(unit))
    throw new Error(`invalid suffix: '${suffix.length > 3 ? suffix : unit}'`);
  return Math.trunc(Number(number) * 1024 ** power);
}

const durationUnits: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's time.ParseDuration, in nanoseconds. */
export function parseDuration(text: string): number {
  const unsigned = text.replace(/^[+-]/, "");
  if (unsigned === "0") return 0;
  const parts = unsigned.match(/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/u);
  if (!parts) {
    if (unsigned !== "" && /^[\d.]+$/.test(unsigned))
      throw new Error(`time: missing unit in duration ${quoted(text)}`);
    const unknown = /^(?:[\d.]+(?:ns|us|µs|μs|ms|s|m|h))*[\d.]+([^\d.]+)/u.exec(unsigned)?.[1];
    if (unknown) throw new Error(`time: unknown unit ${quoted(unknown)} in duration ${quoted(text)}`);
    throw new Error(`time: invalid duration ${quoted(text)}`);
  }
  let total = 0;
  for (const [, count = "", unit = ""] of unsigned.matchAll(/([\d.]+)([a-zµμ]+)/gu))
    total += Number(count) * (durationUnits[unit] ?? 0);
  return Math.round(text.startsWith("-") ? -total : total);
}
