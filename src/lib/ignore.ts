import { invalid } from "./errors.ts";
import { characterClass, globPattern, hasWildcard } from "./glob.ts";
import { literally, longestLiteral, matchEnds, type Token } from "./wildcards.ts";

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
    matches: matcher(pattern.replace(/^!/, "")),
  }));
  return (path) => {
    const relative = path.replace(/^\//, "");
    let excluded = false;
    for (const { excludes, matches } of rules)
      if (excluded !== excludes && matches(relative)) excluded = excludes;
    return excluded;
  };
}

/** Matches a path itself and all below it. */
function matcher(pattern: string): (path: string) => boolean {
  // The root itself is never looked at.
  if (pattern === ".") return () => false;
  if (!hasWildcard(pattern)) {
    const below = `${pattern}/`;
    return (path) => path === pattern || path.startsWith(below);
  }
  const tokens = tokensOf(pattern);
  const literal = longestLiteral(tokens);
  return (path) => {
    if (!path.includes(literal)) return false;
    const letters = Array.from(path);
    for (const end of matchEnds(tokens, letters))
      if (end === letters.length || (end > 0 && letters[end] === "/")) return true;
    return false;
  };
}

const notSlash: Token = { one: (letter) => letter !== "/" };

function tokensOf(pattern: string): Token[] {
  const letters = Array.from(pattern);
  // An end of a name, wherever it is.
  const ending = pattern.startsWith("**") ? pattern.slice(2) : "";
  if (ending !== "" && !ending.startsWith("/") && !hasWildcard(ending))
    return ["deep", ...Array.from(ending, literally)];
  const tokens: Token[] = [];
  for (let at = 0; at < letters.length; at++) {
    const c = letters[at] ?? "";
    if (c === "*" && letters[at + 1] === "*") {
      at++;
      if (letters[at + 1] === "/") at++;
      // Also no directory at all.
      tokens.push(at >= letters.length - 1 ? "deep" : "directories");
    } else if (c === "*") tokens.push("star");
    else if (c === "?") tokens.push(notSlash);
    else if (c === "\\") tokens.push(literally(letters[++at] ?? ""));
    else if (c === "[") {
      const { token, end } = characterClass(pattern, letters, at);
      tokens.push(token);
      at = end;
    } else tokens.push(literally(c));
  }
  return tokens;
}
