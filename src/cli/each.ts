import { ApiError } from "./errors.ts";
import { err, out } from "./io/output.ts";

export interface EachOptions {
  /** Errors to print without failing. */
  ignore?: (error: ApiError) => boolean;
  /** Do not print the errors that `ignore` accepts. */
  quiet?: boolean;
}

/**
 * Does something to each argument, up to 50 at a time, and prints its name as soon as it is done; errors
 * are printed together at the end. Resolves to the exit status: 1 if one failed.
 */
export async function forEachArgument(
  args: readonly string[],
  action: (name: string) => Promise<void>,
  options: EachOptions = {},
): Promise<number> {
  const errors: string[] = [];
  let failed = false;
  const one = async (name: string): Promise<void> => {
    try {
      await action(name);
      out(`${name}\n`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const ignored = error instanceof ApiError && (options.ignore?.(error) ?? false);
      if (!(ignored && options.quiet)) errors.push(error.message);
      if (!ignored) failed = true;
    }
  };
  for (let start = 0; start < args.length; start += 50)
    await Promise.all(args.slice(start, start + 50).map(one));
  if (errors.length > 0) err(`${errors.join("\n")}\n`);
  return failed ? 1 : 0;
}
