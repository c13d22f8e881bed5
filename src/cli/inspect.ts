import { mapFields } from "../lib/api-maps.ts";
import { ApiError, CliError, errorMessage } from "./errors.ts";
import type { Flag } from "./flags/flag.ts";
import { indentJson, parseJson } from "./format/json.ts";
import { absentFields, nullField } from "./inspect-fields.ts";
import { markStructs } from "./inspect-structs.ts";
import { err, out } from "./io/output.ts";
import { compileTemplate } from "./template/template.ts";

/** The `--format` flag of commands that show one object. */
export const inspectFormatFlag = {
  type: "string",
  short: "f",
  help: "How to show it:\n'json':     JSON on one line\n'TEMPLATE': a Go template",
} as const satisfies Flag;

/**
 * Shows objects: their JSON as the server wrote it, or each by a template. `get` resolves to an
 * object's JSON. Errors are printed after what was found. Resolves to the exit status.
 */
export async function inspectAll(
  names: readonly string[],
  get: (name: string) => Promise<string>,
  format: string,
): Promise<number> {
  const run = format === "" || format === "json" ? undefined : compile(format);
  const shown: string[] = [];
  const errors: string[] = [];
  for (const name of names) {
    try {
      const json = await get(name);
      shown.push(run ? run(markStructs(parseJson(json, nullField))) : json.trim());
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      errors.push(error.message);
      // Without a daemon the others would fail the same way.
      if (!(error instanceof ApiError || error instanceof InspectError)) break;
    }
  }
  if (run) out(`${shown.join("\n")}\n`);
  else if (format === "json") out(`[${shown.join(",")}]\n`);
  else out(shown.length > 0 ? `${indentJson(`[${shown.join(",")}]`)}\n` : "[]\n");
  if (errors.length > 0) err(`${errors.join("\n")}\n`);
  return errors.length > 0 ? 1 : 0;
}

/** An error of one object, after which the next is tried. */
export class InspectError extends CliError {}

function compile(format: string): (data: unknown) => string {
  let run: (data: unknown) => string;
  try {
    run = compileTemplate(format, { maps: mapFields, absent: absentFields, nil: "<nil>" });
  } catch (error) {
    throw new CliError(`template parsing error: ${errorMessage(error)}`, 64);
  }
  return (data) => {
    try {
      return run(data);
    } catch (error) {
      throw new InspectError(`template parsing error: ${errorMessage(error)}`);
    }
  };
}
