import { fs } from "../builtin.ts";
import { CliError } from "../errors.ts";

/** Variables of `--env-file` files, then those of `--env`, as `NAME=value`. Throws `CliError`. */
export function collectEnv(files: readonly string[], variables: readonly string[]): string[] {
  return [...files.flatMap((file) => readPairs(file, true)), ...variables];
}

/** Labels of `--label-file` files, overridden by those of `--label`. */
export function collectLabels(files: readonly string[], labels: readonly string[]): Record<string, string> {
  return toMap([...files.flatMap((file) => readPairs(file, false)), ...labels]);
}

/** `key=value` texts as an object; a key without a value has an empty one. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 0) map[pair] = "";
    else map[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return map;
}

/** Lines `NAME=value`; `NAME` alone takes the value it has here if `fromEnv`, else is a key without a value. */
function readPairs(file: string, fromEnv: boolean): string[] {
  let content: Buffer;
  try {
    content = fs.readFileSync(file);
  } catch (error) {
    const reason = openError(file, error);
    throw new CliError(reason.startsWith("read ") ? `invalid env file (${file}): ${reason}` : reason);
  }
  const pairs: string[] = [];
  const lines = content
    .toString()
    .replace(/^\ufeff/, "")
    .split(/\r?\n/);
  for (const [i, full] of lines.entries()) {
    const line = full.trimStart();
    if (line === "" || line.startsWith("#")) continue;
    if (line.includes("\ufffd"))
      throw new CliError(
        `invalid env file (${file}): invalid utf8 bytes at line ${i + 1}: ${JSON.stringify(line)}`,
      );
    const equals = line.indexOf("=");
    const name = equals < 0 ? line : line.slice(0, equals);
    if (/[ \t]/.test(name))
      throw new CliError(`invalid env file (${file}): variable '${name}' contains whitespaces`);
    if (name === "") throw new CliError(`invalid env file (${file}): no variable name on line '${line}'`);
    if (equals >= 0) pairs.push(line);
    else if (!fromEnv) pairs.push(name);
    else if (process.env[name] !== undefined) pairs.push(`${name}=${process.env[name]}`);
  }
  return pairs;
}

/** An error of open(2) in Go's words. */
export function openError(file: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "ENOENT") return `open ${file}: no such file or directory`;
  if (code === "EACCES") return `open ${file}: permission denied`;
  if (code === "EISDIR") return `read ${file}: is a directory`;
  return error instanceof Error ? error.message : String(error);
}
