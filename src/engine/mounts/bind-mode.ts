import { invalid } from "../../lib/errors.ts";

/** The third part of `-v source:target:mode`, taken apart. */
export interface BindMode {
  readOnly: boolean;
  /** "" when the mode does not say. */
  propagation: string;
  noCopy: boolean;
}

/** Words of which a mode may have one each. */
const groups: string[][] = [
  ["rw", "ro"],
  ["z", "Z"],
  ["nocopy"],
  ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
  // Of Docker Desktop; they mean nothing here.
  ["consistent", "cached", "delegated", "default"],
];

export const propagations = new Set(groups[3]);

/** Whether dockerd would take the text for a mode. */
export function isBindMode(mode: string): boolean {
  if (mode === "") return true;
  const used = mode.split(",").map((word) => groups.findIndex((group) => group.includes(word)));
  return !used.includes(-1) && new Set(used).size === used.length;
}

/** Throws INVALID_PARAMETER with dockerd's text. Labels for SELinux are accepted and have no effect. */
export function parseBindMode(mode: string): BindMode {
  if (!isBindMode(mode)) throw invalid(`invalid mode: ${mode}`);
  const words = mode.split(",");
  return {
    readOnly: words.includes("ro"),
    propagation: words.find((word) => propagations.has(word)) ?? "",
    noCopy: words.includes("nocopy"),
  };
}
