/** A failure to show to the user: its text goes to stderr as it is. */
export class CliError extends Error {
  /** The exit status. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

/** An error answer of the API. */
export class ApiError extends CliError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(`Error response from daemon: ${message}`);
    this.name = "ApiError";
    this.status = status;
  }
}

/** The text of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
