import type { Location } from "./location.ts";

/** A line as instructions see it: continuation lines joined, comments and empty lines between them gone. */
export interface LogicalLine {
  text: string;
  location: Location;
  /** Where the parts of the text come from. */
  pieces: Piece[];
  /** The index of the first line after it. */
  next: number;
  /** Empty lines within it, by their numbers. */
  empty: number[];
}

interface Piece {
  /** In the joined text. */
  offset: number;
  line: number;
  column: number;
}

/** Joins the line at an index with those that continue it. */
export function joinLine(lines: readonly string[], at: number, escapeToken: "\\" | "`"): LogicalLine {
  const continued = escapeToken === "\\" ? /(?:([^\\])|^)\\[ \t]*$/ : /(?:([^`])|^)`[ \t]*$/;
  const first = lines[at] ?? "";
  const start = first.trimStart();
  const location = { line: at + 1, column: first.length - start.length + 1 };
  const pieces: Piece[] = [{ offset: 0, ...location }];
  const empty: number[] = [];
  const parts: string[] = [];
  let length = 0;
  // With the letter before it: an escape may be one of two.
  let before = "";
  let last = start;
  let next = at + 1;
  while (continued.test(before + last)) {
    const part = (before + last).replace(continued, "$1").slice(before.length);
    parts.push(part);
    length += part.length;
    before = part.at(-1) ?? before;
    last = "";
    for (; next < lines.length && isSkipped(lines[next] ?? ""); next++) {
      if (lines[next]?.trim() === "") empty.push(next + 1);
    }
    if (next >= lines.length) break;
    pieces.push({ offset: length, line: next + 1, column: 1 });
    last = lines[next] ?? "";
    next++;
  }
  return { text: [...parts, last].join("").trim(), location, pieces, next, empty };
}

/** Whether a line is empty or a comment. */
export function isSkipped(line: string): boolean {
  const start = line.trimStart();
  return start === "" || start.startsWith("#");
}

/** Where a letter of the joined text stands in the Dockerfile. */
export function placeOf(pieces: readonly Piece[], offset: number): Location | undefined {
  const piece = pieces.findLast((candidate) => candidate.offset <= offset);
  return piece && { line: piece.line, column: piece.column + offset - piece.offset };
}
