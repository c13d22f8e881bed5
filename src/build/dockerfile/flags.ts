import { type Location, parseError } from "./location.ts";
import type { Flag, Statement } from "./statements.ts";

/** Which flags an instruction takes: one value, any number of them, or none. */
export type FlagKinds = Record<string, "text" | "list" | "bool">;

export interface FlagValues {
  text(name: string): string | undefined;
  list(name: string): string[];
  bool(name: string): boolean;
}

/** Reads an instruction's flags; throws DockerfileError for those it does not have. */
export function readFlags({ flags, location }: Statement, kinds: FlagKinds): FlagValues {
  const values = new Map<string, string[]>();
  for (const flag of flags) {
    const kind = Object.hasOwn(kinds, flag.name) ? kinds[flag.name] : undefined;
    if (kind === undefined) throw parseError(location, `unknown flag: --${flag.name}`, flag.location);
    const list = values.get(flag.name) ?? [];
    if (list.length > 0 && kind !== "list")
      throw parseError(location, `duplicate flag specified: --${flag.name}`, flag.location);
    values.set(flag.name, [...list, flagValue(flag, kind, location)]);
  }
  return {
    text: (name) => values.get(name)?.[0] || undefined,
    list: (name) => values.get(name) ?? [],
    bool: (name) => values.get(name)?.[0] === "true",
  };
}

function flagValue(
  { name, value, location: place }: Flag,
  kind: FlagKinds[string] | undefined,
  location: Location,
): string {
  if (kind !== "bool") {
    if (value === undefined) throw parseError(location, `missing a value on flag: --${name}`, place);
    return value;
  }
  const lower = value?.toLowerCase() ?? "true";
  if (lower !== "true" && lower !== "false") {
    throw parseError(location, `expecting boolean value for flag --${name}, not: ${value}`, place);
  }
  return lower;
}
