import { BerthError } from "../../lib/errors.ts";

/** A place in a Dockerfile; numbers begin with 1. */
export interface Location {
  line: number;
  column: number;
  /** The last line of what begins here, when that is another one. */
  endLine?: number;
  /** The instruction itself, when the image below brought it along: the place is that of the FROM then. */
  trigger?: string;
}

/** What is wrong with a Dockerfile, and where. The message is dockerd's. */
export class DockerfileError extends BerthError {
  readonly location: Location;

  constructor(message: string, location: Location) {
    super("INVALID_PARAMETER", message);
    this.location = location;
  }
}

const places = new WeakMap<Error, Location>();

/** Remembers at which instruction an error came up. */
export function failedAt(error: unknown, location: Location): void {
  if (error instanceof Error && !places.has(error)) places.set(error, location);
}

/** Where in the Dockerfile an error belongs; undefined when nowhere. */
export const errorLocation = (error: unknown): Location | undefined =>
  error instanceof DockerfileError ? error.location : error instanceof Error ? places.get(error) : undefined;

/** For what the parser refuses in an instruction, which dockerd says the line of. `place` is the very word. */
export const parseError = (location: Location, message: string, place = location): DockerfileError =>
  new DockerfileError(`dockerfile parse error on line ${location.line}: ${message}`, place);

/** Where a text is wrong: its name and place, and the lines with a mark, as compilers show them. */
export function excerpt(name: string, text: string, location: Location): string {
  const lines = text.split(/\r?\n/);
  const last = Math.min(location.endLine ?? location.line, location.line + 9, lines.length);
  const shown = lines.slice(location.line - 1, last).map((line, index) => {
    const number = String(location.line + index).padStart(4);
    return `${number} | ${line.replaceAll("\t", " ")}\n`;
  });
  if (location.column > 1 || shown.length === 1) {
    shown.splice(1, 0, `     | ${" ".repeat(location.column - 1)}^\n`);
  }
  const trigger = location.trigger === undefined ? "" : `which the image follows by: ${location.trigger}\n`;
  return `${name}:${location.line}:${location.column}\n${shown.join("")}${trigger}`;
}
