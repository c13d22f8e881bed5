import { takeHeredocs } from "./heredoc.ts";
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
  endLine: number;
  /** In capitals. */
  keyword: string;
  /** `--name=value` words before the arguments. */
  flags: Flag[];
  /** What follows the flags. */
  rest: string;
  /** As it is written, in one line. */
  original: string;
  heredocs: Heredoc[];
}

export interface Flag {
  name: string;
  /** Undefined for a flag without `=`. */
  value: string | undefined;
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
  const continued = directives.escapeToken === "\\" ? /(?:([^\\])|^)\\[ \t]*$/ : /(?:([^`])|^)`[ \t]*$/;
  const statements: Statement[] = [];
  for (let at = 0; at < lines.length; at++) {
    const first = lines[at] ?? "";
    const start = first.trimStart();
    if (start === "" || start.startsWith("#")) continue;
    const location = { line: at + 1, column: first.length - start.length + 1 };
    let joined = start;
    while (continued.test(joined)) {
      joined = joined.replace(continued, "$1");
      at++;
      // Comments and empty lines within an instruction are not part of it.
      while (at < lines.length && isSkipped(lines[at] ?? "")) at++;
      if (at >= lines.length) break;
      joined += lines[at] ?? "";
    }
    const statement = splitStatement(joined.trim(), location, directives.escapeToken);
    if (heredocKeywords.has(bodyKeyword(statement))) {
      const taken = takeHeredocs(statement.rest, lines, at + 1, location);
      statement.heredocs = taken.heredocs;
      at = taken.next - 1;
    }
    statement.endLine = Math.min(at + 1, lines.length);
    statements.push(statement);
  }
  if (statements.length === 0) {
    throw parseError({ line: 1, column: 1 }, "file with no instructions");
  }
  return { directives, statements };
}

function isSkipped(line: string): boolean {
  const start = line.trimStart();
  return start === "" || start.startsWith("#");
}

/** ONBUILD RUN may have documents too. */
function bodyKeyword({ keyword, rest }: Statement): string {
  return keyword === "ONBUILD" ? (rest.split(/\s/, 1)[0] ?? "").toUpperCase() : keyword;
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
export function splitStatement(text: string, location: Location, escapeToken: string): Statement {
  const [, keyword = "", after = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const { flags, rest } = splitFlags(after, escapeToken);
  return {
    location,
    endLine: location.line,
    keyword: keyword.toUpperCase(),
    flags,
    rest: rest.trim(),
    original: text,
    heredocs: [],
  };
}

/** Flags end at the first word without `--`, or at `--` itself. */
function splitFlags(text: string, escapeToken: string): { flags: Flag[]; rest: string } {
  const flags: Flag[] = [];
  let rest = text;
  for (;;) {
    const begin = rest.trimStart();
    if (!begin.startsWith("--")) return { flags, rest };
    const { word, after } = takeWord(begin, escapeToken);
    if (word === "--") return { flags, rest: after };
    const equals = word.indexOf("=");
    flags.push(
      equals < 0
        ? { name: word.slice(2), value: undefined }
        : { name: word.slice(2, equals), value: word.slice(equals + 1) },
    );
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
