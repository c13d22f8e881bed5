import { invalid } from "./errors.ts";
import { globPattern, hasWildcard, quote } from "./glob.ts";

/**
 * The patterns of a .dockerignore: one a line, `#` begins a comment, `!` takes an exclusion back, `**` is
 * any number of directories. The last one that matches a path, or a directory above it, decides. Throws
 * INVALID_PARAMETER for what is no pattern.
 */
export function readIgnore(text: string): string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(cleanPattern);
}

/** As Go's filepath.Clean, and relative: what leads out of the root is left and matches nothing. */
export function cleanPattern(line: string): string {
  const negated = line.startsWith("!");
  const text = (negated ? line.slice(1) : line).trim();
  if (text === "") throw invalid(`illegal exclusion pattern: ${JSON.stringify(line)}`);
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!text.startsWith("/")) parts.push(part);
  }
  for (const part of parts) globPattern(part);
  return (negated ? "!" : "") + (parts.join("/") || ".");
}

/** Tells of a path, absolute in its root, whether the patterns exclude it. */
export function ignores(patterns: readonly string[]): (path: string) => boolean {
  const rules = patterns.map((pattern) => ({
    excludes: !pattern.startsWith("!"),
    expression: ignorePattern(pattern.replace(/^!/, "")),
  }));
  return (path) => {
    const relative = path.replace(/^\//, "");
    let excluded = false;
    for (const { excludes, expression } of rules) if (expression.test(relative)) excluded = excludes;
    return excluded;
  };
}

/** Matches a path itself and all below it. */
function ignorePattern(pattern: string): RegExp {
  // The root itself is never looked at.
  if (pattern === ".") return /(?!)/;
  // An end of a name, wherever it is.
  const ending = pattern.startsWith("**") ? pattern.slice(2) : "";
  if (ending !== "" && !ending.startsWith("/") && !hasWildcard(ending))
    return new RegExp(`^.*${quote(ending)}(?:/.*)?$`, "s");
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern[at] ?? "";
    if (c === "*" && pattern[at + 1] === "*") {
      at++;
      if (pattern[at + 1] === "/") at++;
      // Also no directory at all.
      source += at >= pattern.length - 1 ? ".*" : "(?:.*/)?";
    } else if (c === "*") source += "[^/]*";
    else if (c === "?") source += "[^/]";
    else if (c === "\\") source += quote(pattern[++at] ?? "");
    else if (c === "[") {
      const end = pattern.indexOf("]", at + 1);
      if (end < 0) source += "\\[";
      else {
        source += pattern.slice(at, end + 1).replace(/\\/g, "\\\\");
        at = end;
      }
    } else source += quote(c);
  }
  return new RegExp(`^${source}(?:/.*)?$`, "s");
}
