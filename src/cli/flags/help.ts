import type { Command } from "../command.ts";
import type { Entry } from "../commands.ts";
import type { Flag, FlagTable } from "./flag.ts";

const program = "berth";

const fullPath = (path: string): string => (path ? `${program} ${path}` : program);

/** The page of `berth COMMAND --help`. */
export function commandHelp(path: string, command: Command): string {
  const usage = [fullPath(path), command.usage].filter(Boolean).join(" ");
  let text = `Usage:  ${usage}\n\n${command.summary}\n`;
  if (command.aliases)
    text += `\nAliases:\n  ${command.aliases.map((alias) => fullPath(alias)).join(", ")}\n`;
  const flags = flagsHelp(command.flags);
  return flags ? `${text}\nOptions:\n${flags}` : text;
}

/** The page of a group of commands, or of the program for the path "". */
export function groupHelp(path: string, { summary, children = {} }: Entry, globals?: FlagTable): string {
  if (path !== "") {
    const list = commandList(Object.entries(children).filter(([, child]) => child.section !== "hidden"));
    return `Usage:  ${fullPath(path)} COMMAND\n\n${summary}\n\nCommands:\n${list}\nRun '${fullPath(path)} COMMAND --help' for more information on a command.\n`;
  }
  const section = (name: Entry["section"]) =>
    commandList(Object.entries(children).filter(([, child]) => child.section === name));
  return `Usage:  ${program} [OPTIONS] COMMAND

Run containers

Common Commands:
${section("common")}
Management Commands:
${section("management")}
Commands:
${section(undefined)}
Global Options:
${flagsHelp(globals ?? {})}
Run '${program} COMMAND --help' for more information on a command.
`;
}

function commandList(entries: [string, Entry][]): string {
  const width = Math.max(11, ...entries.map(([name]) => name.length + 1));
  return entries.map(([name, entry]) => `  ${name.padEnd(width)} ${entry.summary}\n`).join("");
}

const typeNames: Partial<Record<Flag["type"], string>> = { bool: "", swap: "bytes" };

function flagsHelp(table: FlagTable): string {
  const rows = Object.entries(table)
    .filter(([, flag]) => !flag.hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]): [string, string] => {
      const type = flag.placeholder ?? typeNames[flag.type] ?? flag.type;
      const left = `${flag.short ? `  -${flag.short}, ` : "      "}--${name}${type ? ` ${type}` : ""}`;
      const shown = flag.shownDefault ?? flag.default;
      const quoted = flag.type === "string" && flag.shownDefault === undefined ? `"${shown}"` : shown;
      return [left, shown ? `${flag.help} (default ${quoted})` : flag.help];
    });
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 3;
  const room = Math.max(24, 80 - width);
  return rows
    .map(([left, help]) => `${left.padEnd(width)}${wrap(help, room).join(`\n${" ".repeat(width)}`)}\n`)
    .join("");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length >= width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** What follows a flag's error: the usage line and where to read more. */
export function usageMessage(path: string, command: Pick<Command, "usage">, reason: string): string {
  const usage = [fullPath(path), command.usage].filter(Boolean).join(" ");
  return `${reason}\n\nUsage:  ${usage}\n\nRun '${fullPath(path)} --help' for more information`;
}

/** The error for a wrong number of arguments. */
export function arityMessage(path: string, command: Command, given: number): string {
  const { min, max } = command.arity;
  const plural = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  let needs: string;
  if (max === 0) needs = "accepts no arguments";
  else if (min === max) needs = `requires ${plural(min)}`;
  else if (max === Number.POSITIVE_INFINITY) needs = `requires at least ${plural(min)}`;
  else if (min === 0) needs = `requires at most ${plural(max)}`;
  else needs = `requires at least ${min} and at most ${plural(max)}`;
  const verb = max === Number.POSITIVE_INFINITY && given < min ? "See" : "Run";
  const usage = [fullPath(path), command.usage].filter(Boolean).join(" ");
  return `${program}: '${fullPath(path)}' ${needs}\n\nUsage:  ${usage}\n\n${verb} '${fullPath(path)} --help' for more information`;
}

/** The error for a command that does not exist. */
export function unknownCommand(path: string, name: string): string {
  const usage = path ? `\n\nUsage:  ${fullPath(path)}` : "";
  return `${program}: unknown command: ${fullPath(path)} ${name}${usage}\n\nRun '${fullPath(path)} --help' for more information`;
}
