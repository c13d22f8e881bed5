import { invalid } from "./errors.ts";
import { literally, longestLiteral, matchEnds, type Token } from "./wildcards.ts";

/** Whether Go's filepath.Match would see more than a plain name. */
export const hasWildcard = (text: string): boolean => /[*?[\\]/.test(text);

/** A pattern of Go's filepath.Match for one name. Throws INVALID_PARAMETER for a malformed one. */
export function globPattern(pattern: string): { test(name: string): boolean } {
  const tokens = globTokens(pattern);
  const literal = longestLiteral(tokens);
  return {
    test(name) {
      if (!name.includes(literal)) return false;
      const letters = Array.from(name);
      for (const end of matchEnds(tokens, letters)) if (end === letters.length) return true;
      return false;
    },
  };
}

const notSlash: Token = { one: (letter) => letter !== "/" };

function globTokens(pattern: string): Token[] {
  const letters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < letters.length; at++) {
    const c = letters[at] ?? "";
    if (c === "*") tokens.push("star");
    else if (c === "?") tokens.push(notSlash);
    else if (c === "\\") tokens.push(literally(letters[++at] ?? fail(pattern)));
    else if (c === "[") {
      const { token, end } = characterClass(pattern, letters, at);
      tokens.push(token);
      at = end;
    } else tokens.push(literally(c));
  }
  return tokens;
}

/** `[a-z]` and `[^a-z]`; `from` is the place of the bracket. */
export function characterClass(
  pattern: string,
  letters: readonly string[],
  from: number,
): { token: Token; end: number } {
  let at = from + 1;
  const negated = letters[at] === "^";
  if (negated) at++;
  const ranges: [string, string][] = [];
  const letter = (): string => {
    const c = letters[at] ?? fail(pattern);
    if (c !== "\\" && c !== "-" && c !== "]") return c;
    if (c !== "\\") return fail(pattern);
    return letters[++at] ?? fail(pattern);
  };
  for (; letters[at] !== "]" || ranges.length === 0; at++) {
    const low = letter();
    let high = low;
    if (letters[at + 1] === "-") {
      at += 2;
      high = letter();
    }
    ranges.push([low, high]);
  }
  const code = (text: string): number => text.codePointAt(0) ?? 0;
  const within = (c: string): boolean =>
    ranges.some(([low, high]) => code(low) <= code(c) && code(c) <= code(high));
  return { token: { one: (c) => within(c) !== negated }, end: at };
}

function fail(pattern: string): never {
  throw invalid(`syntax error in pattern: ${pattern}`);
}
