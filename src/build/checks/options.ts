import { type Location, parseError } from "../dockerfile/location.ts";

/** What a Dockerfile or a build says of the checks: `skip=A,B;error=true;experimental=C`. */
export interface CheckOptions {
  skips: (rule: string) => boolean;
  /** Whether an experimental rule is wanted. */
  wants: (rule: string) => boolean;
  /** A finding ends the build. */
  error: boolean;
}

/** Reads `# check=`, or what replaces it. Throws DockerfileError. */
export function readCheckOptions(text: string, location: Location): CheckOptions {
  const lists: Record<string, Set<string>> = { skip: new Set(), experimental: new Set() };
  let error = false;
  for (const part of text.split(";").map((word) => word.trim())) {
    if (part === "") continue;
    const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(part) ?? [];
    const name = key.trim();
    if (value === undefined) throw parseError(location, `invalid check option "${part}"`);
    if (name === "error") {
      if (!/^(true|false|1|0|t|f)$/i.test(value.trim()))
        throw parseError(location, `failed to parse check option "error=${value}"`);
      error = /^(true|1|t)$/i.test(value.trim());
    } else if (name === "skip" || name === "experimental") {
      for (const rule of value.split(",")) lists[name]?.add(rule.trim());
    } else throw parseError(location, `invalid check option "${name}"`);
  }
  const has = (list: string, rule: string): boolean =>
    lists[list]?.has("all") === true || lists[list]?.has(rule) === true;
  return { skips: (rule) => has("skip", rule), wants: (rule) => has("experimental", rule), error };
}
