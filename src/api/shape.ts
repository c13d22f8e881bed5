import { invalid } from "../lib/errors.ts";

/** Turns one JSON value into a T, `null` into its zero value as Go does, or throws a `Mismatch`. */
export type Shape<T> = (value: unknown) => T;

/** A shape for every field of T, so that no field is forgotten when T grows. */
export type Fields<T> = { [K in keyof T]-?: Shape<Exclude<T[K], null | undefined>> };

/** What is not of its shape. On its way up it learns where it happened. */
class Mismatch extends Error {
  readonly found: string;
  readonly wanted: string;
  struct = "";
  path = "";

  constructor(value: unknown, wanted: string) {
    super(`not ${wanted}`);
    this.found = kindOf(value);
    this.wanted = wanted;
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" && !isInt64(value)) return `number ${numberText(value)}`;
  return typeof value;
}

const isInt64 = (value: number): boolean => Number.isInteger(value) && Math.abs(value) < 2 ** 63;

/** Go repeats what was written, which JavaScript would give an exponent. */
const numberText = (value: number): string => (Number.isInteger(value) ? `${BigInt(value)}` : `${value}`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Text of which only some values mean something; which, is for its user to check. */
export const word =
  <T extends string>(): Shape<T> =>
  (value) => {
    if (typeof value === "string") return value as T;
    if (value === null) return "" as T;
    throw new Mismatch(value, "string");
  };

export const text: Shape<string> = word<string>();

export const flag: Shape<boolean> = (value) => {
  if (typeof value === "boolean") return value;
  if (value === null) return false;
  throw new Mismatch(value, "bool");
};

export const integer: Shape<number> = (value) => {
  if (typeof value === "number" && isInt64(value)) return value;
  if (value === null) return 0;
  throw new Mismatch(value, "int64");
};

/** Whatever it is: keys of a map that serves as a set. */
export const anything: Shape<unknown> = (value) => value;

export const list =
  <T>(element: Shape<T>, type = "[]string"): Shape<T[]> =>
  (value) => {
    if (value === null) return [];
    if (!Array.isArray(value)) throw new Mismatch(value, type);
    return value.map(element);
  };

export const texts: Shape<string[]> = list(text);

/** A command: a list of words, or one word alone. */
export const words: Shape<string[]> = (value) => {
  if (typeof value === "string") return [value];
  if (value === null) return [];
  if (!Array.isArray(value)) throw new Mismatch(value, "string");
  return value.map(text);
};

export const map =
  <T>(element: Shape<T>): Shape<Record<string, T>> =>
  (value) => {
    if (value === null) return {};
    if (!isObject(value)) throw new Mismatch(value, "map[string]string");
    // fromEntries makes "__proto__" a key like any other.
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, element(entry)]));
  };

/** Where `null` and the zero value are not the same. */
export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value) =>
    value === null ? null : shape(value);

/**
 * An object with the fields given; others are left out, `null` counts as absent and the case of keys
 * does not matter, as in Go. `name` is that of Go's type, for messages.
 */
export function struct<T extends object>(name: string, fields: Fields<T>): Shape<T> {
  const shapes = new Map<string, Shape<unknown>>(Object.entries<Shape<unknown>>(fields));
  const spelling = new Map<string, string>();
  for (const key of shapes.keys()) spelling.set(key.toLowerCase(), key);
  return (value) => {
    const result: Record<string, unknown> = {};
    if (value === null) return result as T;
    if (!isObject(value)) throw new Mismatch(value, name);
    for (const given in value) {
      const entry = value[given];
      if (entry === null) continue;
      const key = shapes.has(given) ? given : (spelling.get(given.toLowerCase()) ?? "");
      const shape = shapes.get(key);
      if (!shape) continue;
      try {
        result[key] = shape(entry);
      } catch (error) {
        if (error instanceof Mismatch) {
          error.struct ||= name;
          error.path = error.path === "" ? key : `${key}.${error.path}`;
        }
        throw error;
      }
    }
    return result as T;
  };
}

/** Reads a JSON value as a T. Throws INVALID_PARAMETER with the text of Go's encoding/json. */
export function decode<T>(shape: Shape<T>, value: unknown): T {
  try {
    return shape(value);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const place = error.path === "" ? "value" : `struct field ${error.struct}.${error.path}`;
    throw invalid(
      `invalid JSON: json: cannot unmarshal ${error.found} into Go ${place} of type ${error.wanted}`,
    );
  }
}
