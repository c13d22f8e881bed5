import { jsonFlaw } from "../../lib/json-error.ts";
import { fs } from "../builtin.ts";
import { CliError } from "../errors.ts";
import { openError } from "./env.ts";

/** `--security-opt` as the API takes it. */
export interface SecurityOptions {
  options: string[];
  /** Empty lists for `systempaths=unconfined`, which the client decides. */
  maskedPaths?: string[];
  readonlyPaths?: string[];
}

/** Reads `--security-opt`; a seccomp profile is sent by content. Throws `CliError`. */
export function parseSecurityOptions(specs: readonly string[]): SecurityOptions {
  const options: string[] = [];
  let unconfined = false;
  for (const spec of specs) {
    const separator = spec.includes("=") ? "=" : ":";
    const at = spec.indexOf(separator);
    if (at < 0 && spec !== "no-new-privileges")
      throw new CliError(`Invalid --security-opt: ${JSON.stringify(spec)}`);
    const value = spec.slice(at + 1);
    if (spec === "systempaths=unconfined") unconfined = true;
    else if (at > 0 && spec.slice(0, at) === "seccomp" && value !== "unconfined" && value !== "builtin")
      options.push(`seccomp=${readProfile(value)}`);
    else options.push(spec);
  }
  return unconfined ? { options, maskedPaths: [], readonlyPaths: [] } : { options };
}

function readProfile(file: string): string {
  let content: string;
  try {
    content = fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(`opening seccomp profile (${file}) failed: ${openError(file, error)}`);
  }
  try {
    return JSON.stringify(JSON.parse(content));
  } catch {
    const flaw = jsonFlaw(content) || "invalid character after top-level value";
    throw new CliError(`compacting json for seccomp profile (${file}) failed: ${flaw}`);
  }
}
