import { quote } from "./go-strings.ts";
import { goType, printValue, sprintf, toJson } from "./print.ts";

/** A function that templates may call; throws an Error with the reason. */
export type TemplateFunction = (...args: unknown[]) => unknown;

/** Whether a value counts as true: not false, 0, empty or absent. */
export function truth(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The functions of Go's text/template and those that docker adds. `and` and `or` are the evaluator's. */
export const functions: Record<string, TemplateFunction> = {
  // Go's
  eq: (first, ...rest) => {
    if (rest.length === 0) throw new Error("missing argument for comparison");
    return rest.some((other) => same(first, other));
  },
  ne: (a, b) => !same(a, b),
  lt: (a, b) => less(a, b),
  le: (a, b) => less(a, b) || same(a, b),
  gt: (a, b) => less(b, a),
  ge: (a, b) => less(b, a) || same(a, b),
  not: (value) => !truth(value),
  len: (value) => {
    if (typeof value === "string") return Buffer.byteLength(value);
    if (Array.isArray(value)) return value.length;
    if (typeof value === "object" && value !== null) return Object.keys(value).length;
    if (value === null || value === undefined) throw new Error("len of nil pointer");
    throw new Error(`len of type ${goType(value)}`);
  },
  index: (value, ...keys) => keys.reduce(indexOne, value),
  slice: (value, from = 0, to = undefined) => {
    if (typeof value === "string")
      return Buffer.from(value)
        .subarray(Number(from), to === undefined ? undefined : Number(to))
        .toString();
    if (Array.isArray(value)) return value.slice(Number(from), to === undefined ? undefined : Number(to));
    throw new Error(`can't slice item of type ${goType(value)}`);
  },
  print: (...args) => {
    let text = "";
    args.forEach((value, i) => {
      // Go puts a space between operands when neither is a string.
      if (i > 0 && typeof value !== "string" && typeof args[i - 1] !== "string") text += " ";
      text += printValue(value, false);
    });
    return text;
  },
  println: (...args) => `${args.map((value) => printValue(value, false)).join(" ")}\n`,
  printf: (format, ...args) => sprintf(String(format), args),
  html: (...args) =>
    args
      .map((value) => printValue(value, false))
      .join("")
      .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`),
  js: (...args) => quote(args.map((value) => printValue(value, false)).join("")).slice(1, -1),
  urlquery: (...args) => encodeURIComponent(args.map((value) => printValue(value, false)).join("")),
  call: (called, ...args) => {
    if (typeof called !== "function") throw new Error("call of non-function");
    return called(...args);
  },
  // docker's
  json: (value) => toJson(value),
  split: (text, separator) => String(text).split(String(separator)),
  join: (list, separator) => {
    if (list === null || list === undefined) return "";
    if (!Array.isArray(list)) throw new Error(`wrong type for value; expected []string; got ${goType(list)}`);
    return list.map((item) => printValue(item, false)).join(String(separator));
  },
  title: (text) =>
    String(text).replace(
      /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
      (_, before, letter) => before + letter.toUpperCase(),
    ),
  lower: (text) => expectString(text).toLowerCase(),
  upper: (text) => expectString(text).toUpperCase(),
  pad: (text, left, right) => {
    const content = expectString(text);
    return content === "" ? "" : " ".repeat(Number(left)) + content + " ".repeat(Number(right));
  },
  truncate: (text, length) => [...expectString(text)].slice(0, Number(length)).join(""),
};

function expectString(value: unknown): string {
  if (typeof value !== "string")
    throw new Error(`wrong type for value; expected string; got ${goType(value)}`);
  return value;
}

function same(a: unknown, b: unknown): boolean {
  if ((a === null || a === undefined) && (b === null || b === undefined)) return true;
  if (a === null || a === undefined || b === null || b === undefined) return false;
  if (kind(a) !== kind(b)) throw new Error("incompatible types for comparison");
  // Loosely: a bigint equals the number of the same value.
  return typeof a === typeof b ? a === b : BigInt(Number(a)) === BigInt(Number(b));
}

function less(a: unknown, b: unknown): boolean {
  if (kind(a) !== kind(b)) throw new Error("incompatible types for comparison");
  if (typeof a === "string" && typeof b === "string") return a < b;
  if (kind(a) === "number") return Number(a) < Number(b);
  throw new Error("invalid type for comparison");
}

function kind(value: unknown): string {
  return typeof value === "bigint" ? "number" : typeof value;
}

function indexOne(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw new Error("index of untyped nil");
  if (Array.isArray(value) || typeof value === "string") {
    if (typeof key !== "number") throw new Error(`cannot index slice/array with type ${goType(key)}`);
    if (key < 0 || key >= value.length) throw new Error(`index out of range: ${key}`);
    return typeof value === "string" ? Buffer.from(value)[key] : value[key];
  }
  if (typeof value === "object") {
    const entry: unknown = Object.entries(value).find(([name]) => name === String(key))?.[1];
    return entry === undefined ? "" : entry;
  }
  throw new Error(`can't index item of type ${goType(value)}`);
}
