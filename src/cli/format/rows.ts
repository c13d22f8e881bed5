import { CliError, errorMessage } from "../errors.ts";
import { out } from "../io/output.ts";
import { marshal, toJson } from "../template/print.ts";
import { compileTemplate } from "../template/template.ts";
import { alignColumns } from "./columns.ts";

/** What a listing command can show: each column's heading and how to get its value from an item. */
export interface Columns<T> {
  [name: string]: {
    header: string;
    value: (item: T) => unknown;
    /** In JSON, where that is not the value; undefined for columns that it leaves out. */
    json?: (item: T) => unknown;
  };
}

export interface Listing<T> {
  columns: Columns<T>;
  /** The table shown without `--format`, and for `--format table`. */
  table: string;
  /** The template for `--quiet`. */
  quiet: string;
  /** What an error calls the type of an item. */
  typeName: string;
  /** Methods of an item beside its columns: in templates, but not in `json .`. */
  methods?: (item: T) => Record<string, unknown>;
}

/** The template that `--format` and `--quiet` ask for. */
export function chooseFormat<T>(listing: Listing<T>, format: string, quiet: boolean): string {
  if (quiet && (format === "" || format === "table")) return listing.quiet;
  if (format === "" || format === "table") return `table ${listing.table}`;
  return format === "json" ? "{{json .}}" : format;
}

/** Prints items by a template, as a table with headings if it begins with `table `. */
export function printRows<T>(listing: Listing<T>, format: string, items: readonly T[]): void {
  out(formatRows(listing, format, items));
}

/** As `printRows`, and returns the text. */
export function formatRows<T>(listing: Listing<T>, format: string, items: readonly T[]): string {
  const table = /^table(?=[ \t]|$)/.test(format);
  const source = unescapeTabs(table ? format.slice(5).trim() : format.trim());
  const rows = items.map((item) => makeRow(listing, item));
  const lines = rows.map(compile(source, listing.typeName)).map((line) => `${line}\n`);
  if (!table) return lines.join("");
  const headers = Object.fromEntries(
    Object.entries(listing.columns).map(([name, column]) => [name, column.header]),
  );
  const header = compileHeader(source)({ ...headers, Label: labelHeader });
  return alignColumns(`${header}\n${lines.join("")}`, { minWidth: 10, padding: 3 });
}

function unescapeTabs(template: string): string {
  return template.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

function compile(source: string, typeName: string): (data: unknown) => string {
  let run: (data: unknown) => string;
  try {
    run = compileTemplate(source, { typeName: `*formatter.${typeName}` });
  } catch (error) {
    throw new CliError(`failed to parse template: ${errorMessage(error)}`);
  }
  return (data) => {
    try {
      return run(data);
    } catch (error) {
      throw new CliError(`failed to execute template: ${errorMessage(error)}`);
    }
  };
}

/** The heading of a label's column: the last part of its name, in words. */
function labelHeader(name: unknown): string {
  return (String(name).split(".").at(-1) ?? "").replace(/[-_]/g, " ");
}

const first = (value: unknown): unknown => value;

/** Headings pass through a template's functions unchanged, but for those that change a word. */
function compileHeader(source: string): (data: unknown) => string {
  return compileTemplate(source, {
    missing: "empty",
    functions: { json: first, split: first, join: first, truncate: first },
  });
}

function makeRow<T>(listing: Listing<T>, item: T): object {
  const row: Record<string, unknown> = { ...listing.methods?.(item) };
  const names = Object.keys(listing.columns);
  for (const name of names) {
    Object.defineProperty(row, name, { enumerable: true, get: () => listing.columns[name]?.value(item) });
  }
  const json = (): string => {
    const values = names.sort().map((name): [string, unknown] => {
      const own = listing.columns[name]?.json;
      return [name, own ? own(item) : row[name]];
    });
    const pairs = values
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${JSON.stringify(name)}:${toJson(value)}`);
    return escapeHtml(`{${pairs.join(",")}}`);
  };
  Object.defineProperty(row, marshal, { value: json });
  return row;
}

/** Escapes as Go's JSON encoder does by default. */
export function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
