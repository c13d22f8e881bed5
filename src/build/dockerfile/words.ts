import { invalid } from "../../lib/errors.ts";

/**
 * The words of the JSON form, or undefined when the text is something else. Throws INVALID_PARAMETER for a list of
 * other things than texts.
 */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // What is not JSON is text that begins with a bracket.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid("when using JSON array syntax, arrays must be comprised of strings only");
}

/** Splits at blanks outside of quotes; quotes and escapes stay for the expansion. */
export function quotedWords(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let open = false;
  for (let at = 0; at < text.length; at++) {
    const c = text[at] ?? "";
    if (c === escapeToken && at + 1 < text.length && quote !== "'") {
      word += c + text[++at];
      open = true;
      continue;
    }
    if (quote === "" && /\s/.test(c)) {
      if (open) words.push(word);
      word = "";
      open = false;
      continue;
    }
    if (quote === c) quote = "";
    else if (quote === "" && (c === '"' || c === "'")) quote = c;
    word += c;
    open = true;
  }
  if (open) words.push(word);
  return words;
}

/** Splits at blanks, whatever is quoted. */
export const blankWords = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
