import { fs } from "../builtin.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";

/** What fits a request's header. */
const largest = 12_000;

/** The header that takes secrets to the daemon: `id=name,src=file` or `id=name,env=variable` each. */
export function readSecrets(given: readonly string[]): Record<string, string> {
  if (given.length === 0) return {};
  const secrets = Object.fromEntries(given.map(readSecret));
  const header = Buffer.from(JSON.stringify(secrets)).toString("base64url");
  if (header.length > largest) throw new CliError("the secrets are too large: 6 kB together are possible");
  return { "X-Berth-Build-Secrets": header };
}

function readSecret(text: string): [id: string, value: string] {
  const fields = new Map(
    text.split(",").map((part): [string, string] => {
      const equals = part.indexOf("=");
      if (equals < 0) throw new CliError(`invalid field '${part}' must be a key=value pair`);
      return [part.slice(0, equals).toLowerCase(), part.slice(equals + 1)];
    }),
  );
  for (const key of fields.keys()) {
    if (!["id", "src", "source", "env", "type"].includes(key))
      throw new CliError(`unexpected key '${key}' in '${text}'`);
  }
  const id = fields.get("id") ?? "";
  if (id === "") throw new CliError(`a secret needs an id: ${text}`);
  const file = fields.get("src") ?? fields.get("source");
  const variable = fields.get("env") ?? (file === undefined ? id : undefined);
  const fromEnv = variable === undefined ? undefined : process.env[variable];
  if (file === undefined && fromEnv !== undefined) return [id, Buffer.from(fromEnv).toString("base64")];
  try {
    return [id, fs.readFileSync(file ?? id).toString("base64")];
  } catch (error) {
    throw new CliError(`secret ${id}: ${openError(file ?? id, error)}`);
  }
}
