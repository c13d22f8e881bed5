import { ApiError } from "./errors.ts";
import { err, out } from "./io/output.ts";

export interface EachOptions {
  /** Errors to print without failing. */
  ignore?: (error: ApiError) => boolean;
  /** Do not print the errors that `ignore` accepts. */
  quiet?: boolean;
}

/**
 * Does something to each argument, up to 50 at a time, and prints the names of those done in the order they
 * were given; errors are printed together at the end. Resolves to the exit status: 1 if one failed.
 */
export async function forEachArgument(
  args: readonly string[],
  action: (name: string) => Promise<void>,
  options: EachOptions = {},
): Promise<number> {
  const errors: string[] = [];
  let failed = false;
  const told = async (name: string, done: Promise<void>): Promise<void> => {
    try {
      await done;
      out(`${name}\n`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const ignored = error instanceof ApiError && (options.ignore?.(error) ?? false);
      if (!(ignored && options.quiet)) errors.push(error.message);
      if (!ignored) failed = true;
    }
  };
  for (let start = 0; start < args.length; start += 50) {
    const begun = args.slice(start, start + 50).map((name) => ({ name, done: action(name) }));
    for (const { done } of begun) done.catch(() => undefined);
    for (const { name, done } of begun) await told(name, done);
  }
  if (errors.length > 0) err(`${errors.join("\n")}\n`);
  return failed ? 1 : 0;
}
