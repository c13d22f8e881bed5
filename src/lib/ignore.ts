import { quote } from "./glob.ts";

/**
 * The patterns of a .dockerignore: one a line, `#` begins a comment, `!` takes an exclusion back, `**` is
 * any number of directories. The last one that matches a path, or a directory above it, decides.
 */
export function readIgnore(text: string): string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(clean)
    .filter((pattern) => pattern !== "" && pattern !== "!");
}

/** As Go's filepath.Clean, and relative. */
function clean(line: string): string {
  const negated = line.startsWith("!");
  const parts: string[] = [];
  for (const part of line
    .slice(negated ? 1 : 0)
    .trim()
    .split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return (negated ? "!" : "") + (parts.join("/") || (negated ? "" : "."));
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
  return pattern === "." ? /^/ : new RegExp(`^${source}(?:/.*)?$`, "s");
}
