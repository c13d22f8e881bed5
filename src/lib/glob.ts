import { invalid } from "./errors.ts";

/** Whether Go's filepath.Match would see more than a plain name. */
export const hasWildcard = (text: string): boolean => /[*?[\\]/.test(text);

/** A pattern of Go's filepath.Match for one name, as a regular expression. Throws for a malformed one. */
export function globPattern(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern[at] ?? "";
    if (c === "*") source += "[^/]*";
    else if (c === "?") source += "[^/]";
    else if (c === "\\") source += quote(pattern[++at] ?? fail(pattern));
    else if (c === "[") {
      const { text, end } = characterClass(pattern, at);
      source += text;
      at = end;
    } else source += quote(c);
  }
  return new RegExp(`^${source}$`, "su");
}

function characterClass(pattern: string, from: number): { text: string; end: number } {
  let at = from + 1;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let text = "";
  for (const start = at; pattern[at] !== "]" || at === start; at++) {
    let c = pattern[at] ?? fail(pattern);
    if (c === "-" && text !== "") {
      text += "-";
      continue;
    }
    if (c === "\\") c = pattern[++at] ?? fail(pattern);
    text += c === "-" ? "\\-" : quote(c);
  }
  return { text: `[${negated ? "^" : ""}${text}]`, end: at };
}

/** As a regular expression that means itself; a hyphen is one only outside of classes. */
export const quote = (c: string): string => c.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

function fail(pattern: string): never {
  throw invalid(`syntax error in pattern: ${pattern}`);
}
