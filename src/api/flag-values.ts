import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";

/** The value of a flag that takes an IP address. Throws INVALID_PARAMETER. */
export function address(name: string, text: string | undefined): string | undefined {
  if (text !== undefined && isIP(text) === 0) throw unfit(name, text, "an IP address");
  return text;
}

const words: Record<string, boolean> = { true: true, false: false, "1": true, "0": false, t: true, f: false };

/** The value of a flag that is true or false. Throws INVALID_PARAMETER. */
export function truth(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  const value = words[text.toLowerCase()];
  if (value === undefined) throw unfit(name, text, "true or false");
  return value;
}

/** What to say of a flag's value that it cannot have. */
export const unfit = (name: string, text: string, wanted: string) =>
  invalid(`invalid argument "${text}" for "--${name}" flag: it takes ${wanted}`);
