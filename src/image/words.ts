/**
 * Splits as a Dockerfile's words are split: at blanks outside of quotes. Quotes and backslashes are taken
 * away, within single quotes nothing is special.
 */
export function splitWords(text: string): string[] {
  return rawWords(text).map(unquote);
}

/**
 * The pairs of ENV and LABEL: `a=b c="d e"`, or in the old form a name, a blank and the rest of the line.
 */
export function splitPairs(text: string): [string, string][] {
  const words = rawWords(text);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const rest = text.trim().slice(first.length).trim();
    return rest === "" ? [] : [[unquote(first), unquote(rest)]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    return equals < 0
      ? [unquote(word), ""]
      : [unquote(word.slice(0, equals)), unquote(word.slice(equals + 1))];
  });
}

function rawWords(text: string): string[] {
  return text.match(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*'|["'\\])+/gs) ?? [];
}

function unquote(word: string): string {
  return word.replace(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
    (_, double?: string, single?: string, escaped?: string) => {
      if (double !== undefined) return double.replace(/\\(["\\$])/g, "$1");
      return single ?? escaped ?? "";
    },
  );
}
