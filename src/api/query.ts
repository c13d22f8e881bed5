import type { Filters } from "../engine/types.ts";
import { invalid } from "../lib/errors.ts";
import { parseTime } from "../lib/parse-time.ts";

const falsy = new Set(["", "0", "no", "false", "none"]);

/** A request's query parameters, read as dockerd reads them. Parsed at first use. */
export class Query {
  readonly #raw: string;
  #parsed: URLSearchParams | undefined;

  constructor(raw: string) {
    this.#raw = raw;
  }

  get #params(): URLSearchParams {
    this.#parsed ??= new URLSearchParams(this.#raw);
    return this.#parsed;
  }

  /** The value, or undefined when it is absent or empty. */
  text(name: string): string | undefined {
    if (this.#raw === "") return undefined;
    return this.#params.get(name) || undefined;
  }

  all(name: string): string[] {
    return this.#raw === "" ? [] : this.#params.getAll(name);
  }

  /** Anything but empty, 0, no, false and none is true. */
  flag(name: string, absent = false): boolean {
    if (this.#raw === "") return absent;
    const value = this.#params.get(name);
    if (value === null) return absent;
    return !falsy.has(value.trim().toLowerCase());
  }

  /** Throws INVALID_PARAMETER for what is not a decimal integer. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : atoi(value);
  }

  /** As `integer`, but absence is an error too. */
  requiredInteger(name: string): number {
    return atoi(this.text(name) ?? "");
  }

  /** A point in time; 0 and absence mean none. */
  time(name: string): Date | undefined {
    const value = this.text(name);
    return value === undefined || value === "0" ? undefined : parseTime(value);
  }

  /** The `filters` parameter, in its present form {"key":{"value":true}} or its old one {"key":["value"]}. */
  filters(): Filters {
    const value = this.text("filters");
    return value === undefined ? {} : parseFilters(value);
  }
}

function atoi(text: string): number {
  if (!/^[+-]?\d{1,19}$/.test(text)) {
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** dockerd tells no more than this of filters that it cannot read. */
const unreadable = (cause?: unknown) => invalid("invalid filter", cause);

function parseFilters(text: string): Filters {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(error);
  }
  if (json === null) return {};
  if (!isRecord(json)) throw unreadable();
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, filterValues(value)]));
}

function filterValues(value: unknown): string[] {
  if (value === null) return [];
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value;
  if (isRecord(value) && Object.values(value).every((entry) => typeof entry === "boolean")) {
    return Object.keys(value);
  }
  throw unreadable();
}
