import { posix } from "node:path";
import { CliError } from "../errors.ts";

/** One side of a copy. */
export interface CopySide {
  path: string;
  exists: boolean;
  isDirectory: boolean;
}

/** `CONTAINER:PATH`, or a local path, which begins with `/` or `.` if it has a colon. */
export function splitCopyArgument(argument: string): { container: string; path: string } {
  const colon = argument.indexOf(":");
  if (colon < 0 || argument.startsWith("/") || argument.startsWith("."))
    return { container: "", path: argument };
  return { container: argument.slice(0, colon), path: argument.slice(colon + 1) };
}

/** Whether the path says that it is a directory: it ends in `/` or `/.`, or is empty. */
export function assertsDirectory(path: string): boolean {
  return path === "" || path.endsWith("/") || posix.basename(path) === ".";
}

/** The directory of a path and its last part; `/a/.` is the content of `/a`. */
export function splitPath(path: string): { directory: string; base: string } {
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (/(^|\/)\.$/.test(path)) return { directory: clean, base: "." };
  return { directory: posix.dirname(clean), base: posix.basename(clean) || "/" };
}

/** A cleaned path that ends in `/` or `/.` if `original` does. */
export function keepEnding(clean: string, original: string): string {
  if (/(^|\/)\.$/.test(original) && !/(^|\/)\.$/.test(clean)) return clean === "/" ? "/." : `${clean}/.`;
  if (original.endsWith("/") && !clean.endsWith("/")) return `${clean}/`;
  return clean;
}

/** Where an archive is to be unpacked, and what its first path part becomes there. */
export interface CopyPlan {
  directory: string;
  rename?: { from: string; to: string };
  /** Called for what cannot be made here, which is left out; without it that is an error. */
  onDevice?: (path: string) => void;
}

/**
 * How `source` gets to `destination` by the rules of `cp -R`: into a directory that exists, over a file,
 * or under a new name. Throws `CliError` where that cannot be.
 */
export function planCopy(source: CopySide, destination: CopySide): CopyPlan {
  if (destination.exists && destination.isDirectory) return { directory: destination.path };
  if (destination.exists && source.isDirectory) throw new CliError("cannot copy directory");
  if (!destination.exists && !source.isDirectory && assertsDirectory(destination.path))
    throw new CliError("no such directory");
  const { directory, base } = splitPath(destination.path);
  return { directory, rename: { from: splitPath(source.path).base, to: base } };
}

/** The name of a member after the plan's renaming. */
export function renameMember(name: string, rename: CopyPlan["rename"]): string {
  if (!rename) return name;
  const from = rename.from === "/" ? "" : rename.from;
  const bare = name.replace(/^\/+/, "");
  if (from === "") return posix.join(rename.to, bare);
  if (bare === from || bare.startsWith(`${from}/`)) return rename.to + bare.slice(from.length);
  // `.` as the name of a directory's content.
  return from === "." ? posix.join(rename.to, bare) : name;
}
