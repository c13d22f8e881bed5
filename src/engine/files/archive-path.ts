import { posix } from "node:path";

/** A path as a client of the archive API gives it. */
export interface ArchivePath {
  /** Absolute and clean, but for "/" or "/." at its end, which ask for what a link leads to. */
  absolute: string;
  /** Its last component, which names it in archives: "." for "/." and "/" for the root. */
  name: string;
}

/** Reads a path relative to the container's root, as dockerd does. */
export function archivePath(path: string): ArchivePath {
  let absolute = posix.join("/", path).replace(/(?<=.)\/$/, "");
  if (/(^|\/)\.$/.test(path)) absolute = absolute === "/" ? "/." : `${absolute}/.`;
  else if (path.endsWith("/") && absolute !== "/") absolute = `${absolute}/`;
  return { absolute, name: baseName(absolute) };
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}
