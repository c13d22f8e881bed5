import { type Location, parseError } from "./location.ts";
import type { Heredoc } from "./statements.ts";

/** `<<NAME`, `<<-NAME`, with the name plain or in quotes, at the beginning of a word. */
const opening = /(?:^|[\s\d])<<(-?)(?:"([^"\s]+)"|'([^'\s]+)'|([A-Za-z_][^\s<>"']*))/g;

/** The documents that an instruction announces, read from the lines that follow it. */
export function takeHeredocs(
  text: string,
  lines: readonly string[],
  from: number,
  location: Location,
): { heredocs: Heredoc[]; next: number } {
  const heredocs: Heredoc[] = [];
  let next = from;
  for (const [, dash, double, single, bare] of withoutQuotes(text).matchAll(opening)) {
    const name = double ?? single ?? bare ?? "";
    const chomp = dash === "-";
    const content: string[] = [];
    for (;;) {
      const line = lines[next];
      if (line === undefined) throw parseError(location, `unterminated heredoc`);
      next++;
      const shown = chomp ? line.replace(/^\t+/, "") : line;
      if (shown === name) break;
      content.push(shown);
    }
    heredocs.push({
      name,
      content: content.map((line) => `${line}\n`).join(""),
      expand: bare !== undefined,
      chomp,
    });
  }
  return { heredocs, next };
}

/** What is quoted announces nothing, except the name itself. */
function withoutQuotes(text: string): string {
  return text.replace(/(<<-?)?("[^"]*"|'[^']*')/g, (whole, begin?: string) =>
    begin === undefined ? " ".repeat(whole.length) : whole,
  );
}
