import { BerthError } from "../../lib/errors.ts";

/** A place in a Dockerfile; both numbers begin with 1. */
export interface Location {
  line: number;
  column: number;
}

/** What is wrong with a Dockerfile, and where. The message is dockerd's. */
export class DockerfileError extends BerthError {
  readonly location: Location;

  constructor(message: string, location: Location) {
    super("INVALID_PARAMETER", message);
    this.location = location;
  }
}

/** For what the parser refuses, which dockerd says the line of. */
export const parseError = (location: Location, message: string): DockerfileError =>
  new DockerfileError(`dockerfile parse error on line ${location.line}: ${message}`, location);
