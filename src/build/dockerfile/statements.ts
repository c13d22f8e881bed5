import { takeHeredocs } from "./heredoc.ts";
import { isSkipped, joinLine, type LogicalLine, placeOf } from "./lines.ts";
import { type Location, parseError } from "./location.ts";

/** A document that a RUN, COPY or ADD has in the Dockerfile itself. */
export interface Heredoc {
  name: string;
  content: string;
  /** Whether variables in it are replaced: not when the name was quoted. */
  expand: boolean;
  /** Leading tabs were taken away (`<<-`). */
  chomp: boolean;
}

/** One instruction as it is written: continuation lines joined, comments gone. */
export interface Statement {
  location: Location;
  /** In capitals. */
  keyword: string;
  /** `--name=value` words before the arguments. */
  flags: Flag[];
  /** What follows the flags. */
  rest: string;
  /** As it is written, in one line. */
  original: string;
  heredocs: Heredoc[];
  /** What a comment right above says. */
  comment?: string;
  /** Empty lines within it. */
  emptyLines: number[];
  /** Where a letter of `original` stands. */
  place: (offset: number) => Location;
}

export interface Flag {
  name: string;
  /** Undefined for a flag without `=`. */
  value: string | undefined;
  location: Location;
}

/** Parser directives: the comments before everything else. */
export interface Directives {
  syntax?: string;
  escapeToken: "\\" | "`";
  check?: string;
}

export interface Source {
  directives: Directives;
  statements: Statement[];
}

const heredocKeywords = new Set(["RUN", "COPY", "ADD"]);

/** Takes a Dockerfile apart into its instructions. Throws DockerfileError. */
export function readStatements(text: string): Source {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
  const directives = readDirectives(lines);
  const statements: Statement[] = [];
  for (let at = 0; at < lines.length; ) {
    if (isSkipped(lines[at] ?? "")) {
      at++;
      continue;
    }
    const logical = joinLine(lines, at, directives.escapeToken);
    const statement = toStatement(logical, directives.escapeToken);
    const [, comment] = /^\s*#\s*(.*)$/.exec(lines[at - 1] ?? "") ?? [];
    if (comment !== undefined) statement.comment = comment.trim();
    at = logical.next;
    if (heredocKeywords.has(bodyKeyword(statement))) {
      const taken = takeHeredocs(statement.rest, lines, at, statement.location);
      statement.heredocs = taken.heredocs;
      at = taken.next;
    }
    const endLine = Math.min(at, lines.length);
    if (endLine > statement.location.line) statement.location.endLine = endLine;
    statements.push(statement);
  }
  if (statements.length === 0) {
    throw parseError({ line: 1, column: 1 }, "file with no instructions");
  }
  return { directives, statements };
}

function toStatement(
  { text, location, pieces, empty }: LogicalLine,
  escapeToken: Directives["escapeToken"],
): Statement {
  const place = (offset: number): Location => placeOf(pieces, offset) ?? location;
  return { ...splitStatement(text, location, escapeToken, place), emptyLines: empty };
}

/** ONBUILD RUN may have documents too. */
function bodyKeyword({ keyword, rest }: Statement): string {
  return keyword === "ONBUILD" ? (rest.split(/\s/, 1)[0] ?? "").toUpperCase() : keyword;
}

/** Where a word of what follows the flags stands. */
export function wordPlace({ original, rest, place, location }: Statement, word: string): Location {
  const at = rest.indexOf(word);
  return at < 0 ? location : place(original.length - rest.length + at);
}

function readDirectives(lines: string[]): Directives {
  const directives: Directives = { escapeToken: "\\" };
  const seen = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const match = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    if (!match) break;
    const name = (match[1] ?? "").toLowerCase();
    const value = match[2] ?? "";
    if (name !== "syntax" && name !== "escape" && name !== "check") break;
    const location = { line: index + 1, column: 1 };
    if (seen.has(name)) throw parseError(location, `only one ${name} parser directive can be used`);
    seen.add(name);
    if (name === "escape") {
      if (value !== "\\" && value !== "`") {
        throw parseError(location, `invalid escape token '${value}' does not match \` or \\`);
      }
      directives.escapeToken = value;
    } else directives[name] = value;
  }
  return directives;
}

/** The keyword, the flags and what follows. */
export function splitStatement(
  text: string,
  location: Location,
  escapeToken: string,
  place: Statement["place"] = () => location,
): Statement {
  const [, keyword = "", after = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const { flags, rest } = splitFlags(after, escapeToken, (left) => place(text.length - left));
  return {
    location,
    keyword: keyword.toUpperCase(),
    flags,
    rest: rest.trim(),
    original: text,
    heredocs: [],
    emptyLines: [],
    place,
  };
}

/** Flags end at the first word without `--`, or at `--` itself. `place` is told how much follows. */
function splitFlags(
  text: string,
  escapeToken: string,
  place: (left: number) => Location,
): { flags: Flag[]; rest: string } {
  const flags: Flag[] = [];
  let rest = text;
  for (;;) {
    const begin = rest.trimStart();
    if (!begin.startsWith("--")) return { flags, rest };
    const { word, after } = takeWord(begin, escapeToken);
    if (word === "--") return { flags, rest: after };
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    flags.push({ name, value, location: place(begin.length) });
    rest = after;
  }
}

/** A flag's word: quotes hold blanks and are taken away, the escape takes the next letter as it is. */
function takeWord(text: string, escapeToken: string): { word: string; after: string } {
  let word = "";
  let quote = "";
  let at = 0;
  for (; at < text.length; at++) {
    const c = text[at] ?? "";
    if (c === escapeToken && at + 1 < text.length) {
      word += text[++at];
    } else if (quote !== "") {
      if (c === quote) quote = "";
      else word += c;
    } else if (c === '"' || c === "'") quote = c;
    else if (/\s/.test(c)) break;
    else word += c;
  }
  return { word, after: text.slice(at) };
}
