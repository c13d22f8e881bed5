import type { Client } from "./client/client.ts";
import type { FlagTable, Values } from "./flags/flag.ts";

/** What a command is given besides its flags. */
export interface Context {
  /** Positional arguments. */
  args: string[];
  /** Names of the flags that were on the command line (a default is not in here). */
  changed: ReadonlySet<string>;
  /** The command as typed, without the program: `run`, `container run`. */
  path: string;
  /** The API client; nothing is sent, and no daemon started, before its first request. */
  client: Client;
}

/** How many positional arguments a command takes. */
export interface Arity {
  min: number;
  max: number;
}

/** One command: everything that parsing, help and completion need to know, and what it does. */
export interface Command {
  /** Usage after the path: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  usage: string;
  summary: string;
  /** All the paths that lead here, as help shows them. */
  aliases?: string[];
  flags: FlagTable;
  arity: Arity;
  /** Whether flags end at the first positional argument, as for `run` and `exec`. */
  flagsFirst?: boolean;
  /** What the positional arguments name, for shell completion. */
  completes?: "container" | "image" | "machine" | "network" | "volume" | "file";
  /** Resolves to the exit status; throws `CliError` or `ApiError`. */
  run(values: Record<string, unknown>, context: Context): Promise<number | undefined>;
}

/** A command whose `run` sees its flags' values typed. */
export interface TypedCommand<T extends FlagTable> extends Omit<Command, "flags" | "run"> {
  flags: T;
  run(values: Values<T>, context: Context): Promise<number | undefined>;
}

/** Declares a command; the parser makes the values that `flags` promises. */
export function defineCommand<T extends FlagTable>(command: TypedCommand<T>): Command {
  return { ...command, run: (values, context) => command.run(values as Values<T>, context) };
}

export const noArgs: Arity = { min: 0, max: 0 };
export const exactly = (count: number): Arity => ({ min: count, max: count });
export const atLeast = (min: number): Arity => ({ min, max: Number.POSITIVE_INFINITY });
export const atMost = (max: number): Arity => ({ min: 0, max });
export const between = (min: number, max: number): Arity => ({ min, max });
