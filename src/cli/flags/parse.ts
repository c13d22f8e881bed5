import { CliError } from "../errors.ts";
import { err } from "../io/output.ts";
import type { Flag, FlagTable } from "./flag.ts";
import { parseValue } from "./values.ts";

/** A parsed command line. */
export interface Parsed {
  values: Record<string, unknown>;
  args: string[];
  changed: Set<string>;
  help: boolean;
}

/**
 * Parses a command's arguments by the rules of the docker CLI: `--name=value`, `--name value`,
 * `-abc`, `-p8080:80`, `--` ends the flags, and so does the first positional when `flagsFirst`.
 * Throws `CliError` with the bare reason.
 */
export function parseFlags(table: FlagTable, argv: readonly string[], flagsFirst = false): Parsed {
  const names = flagNames(table);
  const shorts = new Map<string, string>();
  for (const [name, flag] of Object.entries(table)) if (flag.short) shorts.set(flag.short, name);

  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) values[name] = initial(flag);
  const result: Parsed = { values, args: [], changed: new Set(), help: false };

  const set = (name: string, text: string) => {
    const flag = table[name];
    if (flag === undefined) return;
    try {
      values[name] = parseValue(flag, text, result.changed.has(name) ? values[name] : initial(flag, true));
    } catch (error) {
      const shown = flag.short ? `-${flag.short}, --${name}` : `--${name}`;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CliError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${reason}`, 125);
    }
    result.changed.add(name);
  };

  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? "";
    if (arg === "--") {
      result.args.push(...argv.slice(i + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      const typed = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
      if (typed === "" || typed.startsWith("-")) throw new CliError(`bad flag syntax: ${arg}`, 125);
      const name = names.get(typed);
      if (name === undefined) {
        if (typed === "help") {
          result.help = true;
          return result;
        }
        throw new CliError(`unknown flag: --${typed}`, 125);
      }
      if (equals >= 0) set(name, arg.slice(equals + 1));
      else if (table[name]?.type === "bool") set(name, "true");
      else if (i + 1 < argv.length) set(name, argv[++i] ?? "");
      else throw new CliError(`flag needs an argument: --${typed}`, 125);
    } else if (arg.startsWith("-") && arg !== "-") {
      for (let rest = arg.slice(1); rest !== ""; ) {
        const letter = rest[0] ?? "";
        const name = shorts.get(letter);
        const after = rest.slice(1);
        if (name === undefined) {
          if (letter === "h") {
            err("Flag shorthand -h has been deprecated, use --help\n");
            result.help = true;
            return result;
          }
          throw new CliError(`unknown shorthand flag: '${letter}' in -${rest}`, 125);
        }
        if (after.startsWith("=")) {
          set(name, after.slice(1));
          rest = "";
        } else if (table[name]?.type === "bool") {
          set(name, "true");
          rest = after;
        } else {
          if (after !== "") set(name, after);
          else if (i + 1 < argv.length) set(name, argv[++i] ?? "");
          else throw new CliError(`flag needs an argument: '${letter}' in -${rest}`, 125);
          rest = "";
        }
      }
    } else if (flagsFirst) {
      result.args.push(...argv.slice(i));
      break;
    } else {
      result.args.push(arg);
    }
  }
  return result;
}

function flagNames(table: FlagTable): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, flag] of Object.entries(table)) {
    names.set(name, name);
    for (const alias of flag.aliases ?? []) names.set(alias, name);
  }
  return names;
}

/** A flag's value before it is set; `empty` leaves a list's default out, since the first value replaces it. */
function initial(flag: Flag, empty = false): unknown {
  if (flag.type === "list" || flag.type === "map") {
    const none = flag.type === "list" ? [] : {};
    return flag.default === undefined || empty ? none : parseValue(flag, flag.default, none);
  }
  if (flag.default !== undefined) return parseValue(flag, flag.default, undefined);
  if (flag.type === "bool") return false;
  return flag.type === "string" ? "" : 0;
}
