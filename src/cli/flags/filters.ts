import type { Flag } from "./flag.ts";

/** The `--filter` flag of listings. */
export const filterFlag = {
  type: "list",
  short: "f",
  placeholder: "filter",
  help: "Show only what matches KEY=VALUE",
  check(value: string): string {
    if (value !== "" && !value.includes("=")) throw new Error("bad format of filter (expected name=value)");
    return value;
  },
} as const satisfies Flag;

/** The `--format` flag of listings. */
export const formatFlag = {
  type: "string",
  help: `How to show it:
'table':          a table with headings (default)
'table TEMPLATE': a table of a Go template's columns
'json':           one JSON object per line
'TEMPLATE':       a Go template`,
} as const satisfies Flag;

/** Filters as the API takes them, `{"label":{"a=b":true}}`; undefined when there are none. */
export function encodeFilters(filters: readonly string[]): string | undefined {
  const table: Record<string, Record<string, boolean>> = {};
  for (const filter of filters) {
    if (filter === "") continue;
    const equals = filter.indexOf("=");
    const name = filter.slice(0, equals).trim().toLowerCase();
    const values = table[name] ?? {};
    values[filter.slice(equals + 1).trim()] = true;
    table[name] = values;
  }
  return Object.keys(table).length > 0 ? JSON.stringify(table) : undefined;
}
