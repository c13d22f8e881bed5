/** The words of the JSON form, or undefined when the text is something else. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  } catch (error) {
    // What is not JSON is text that begins with a bracket.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return undefined;
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
