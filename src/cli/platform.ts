import { CliError } from "./errors.ts";

/** `os[/arch[/variant]]` as the API takes a platform in JSON. Throws `CliError`. */
export function platformJson(platform: string): string {
  const [os = "", architecture, variant] = checkPlatform(platform).split("/");
  return JSON.stringify({ architecture: architecture ?? "", os, variant });
}

/** Returns a platform that is well-formed. Throws `CliError`. */
export function checkPlatform(platform: string): string {
  if (!/^[a-z0-9_.-]+(\/[a-z0-9_.-]+){0,2}$/i.test(platform))
    throw new CliError(`${JSON.stringify(platform)}: cannot parse platform specifier: invalid argument`);
  return platform;
}
