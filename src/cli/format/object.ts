import { CliError, errorMessage } from "../errors.ts";
import { out } from "../io/output.ts";
import { compileTemplate } from "../template/template.ts";

/**
 * Prints one object as JSON on a line (`json`) or by a template. `typeName` is what an error calls it.
 * Throws `CliError`.
 */
export function printObject(format: string, data: unknown, typeName: string): void {
  let run: (data: unknown) => string;
  try {
    run = compileTemplate(format === "json" ? "{{json .}}" : format, { typeName });
  } catch (error) {
    throw new CliError(`template parsing error: ${errorMessage(error)}`, 64);
  }
  try {
    out(`${run(data)}\n`);
  } catch (error) {
    out("\n");
    throw new CliError(errorMessage(error));
  }
}
