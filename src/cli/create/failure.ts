import { CliError, errorMessage } from "../errors.ts";

/** An error of `run` or `create` before the container's process ran: with the name and where help is. */
export function startFailure(path: string, error: unknown, exitCode = 125): CliError {
  return new CliError(
    `berth: ${errorMessage(error)}\n\nRun 'berth ${path} --help' for more information`,
    exitCode,
  );
}

/** The status that tells why a process did not start: 127 not found, 126 not executable, 125 anything else. */
export function startStatus(error: unknown): number {
  const message = errorMessage(error);
  if (
    /executable file not found|no such file or directory|system cannot find the file specified/.test(message)
  )
    return 127;
  return /permission denied|is a directory/.test(message) ? 126 : 125;
}

/** What `make` returns; its error is one of the command line. */
export function attempt<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw startFailure(path, error);
  }
}
