/**
 * A part of a pattern. `star` is any run of letters of a name, `deep` any run at all, `directories` nothing or a run
 * that ends with a slash.
 */
export type Token = { one: (letter: string) => boolean; letter?: string } | "star" | "deep" | "directories";

/** A letter that means itself. */
export const literally = (letter: string): Token => ({ one: (other) => other === letter, letter });

/**
 * Where matches of a pattern at the beginning of a text end, counted in letters, shortest first. Patterns come from
 * strangers, so the time is that of text times pattern whatever they are, which it is not for regular expressions.
 */
export function* matchEnds(tokens: readonly Token[], letters: readonly string[]): Generator<number> {
  const end = tokens.length;
  // The tokens that may come next; after the last one it has matched.
  let active = new Uint8Array(end + 1);
  let next = new Uint8Array(end + 1);
  enter(active, tokens, 0);
  if (active[end]) yield 0;
  for (const [index, letter] of letters.entries()) {
    next.fill(0);
    let isAlive = false;
    for (let at = 0; at < end; at++) {
      const token = active[at] ? tokens[at] : undefined;
      if (token === undefined) continue;
      if (typeof token === "object") {
        if (token.one(letter)) enter(next, tokens, at + 1);
        else continue;
      } else if (token === "directories") {
        next[at] = 1;
        if (letter === "/") enter(next, tokens, at + 1);
      } else if (token === "deep" || letter !== "/") enter(next, tokens, at);
      else continue;
      isAlive = true;
    }
    [active, next] = [next, active];
    if (active[end]) yield index + 1;
    if (!isAlive) return;
  }
}

/** What may be nothing lets what follows it come too. */
function enter(active: Uint8Array, tokens: readonly Token[], from: number): void {
  for (let at = from; ; at++) {
    active[at] = 1;
    if (typeof tokens[at] !== "string") return;
  }
}

/** The longest text that a match must have in it, to tell most texts apart without more ado. */
export function longestLiteral(tokens: readonly Token[]): string {
  let longest = "";
  let run = "";
  for (const token of tokens) {
    run = typeof token === "object" && token.letter !== undefined ? run + token.letter : "";
    if (run.length > longest.length) longest = run;
  }
  return longest;
}
