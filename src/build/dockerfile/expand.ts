import { literally, matchEnds, type Token } from "../../lib/wildcards.ts";

/** Looks up a variable; undefined when it is not set. `mayLack`: there is something else to take then. */
export type Lookup = (name: string, mayLack?: boolean) => string | undefined;

/** What went wrong in a word; the caller knows where. */
export class ExpansionError extends Error {}

/**
 * Replaces variables in a word, as a Dockerfile's instructions do (not RUN's shell), and takes quotes and
 * escapes away: $name, ${name}, ${name:-word}, ${name-word}, ${name:+word}, ${name+word}, ${name:?word},
 * ${name#pattern}, ##, %, %%, ${name/pattern/word} and //.
 */
export function expandWord(text: string, lookup: Lookup, escapeToken = "\\"): string {
  return new Expansion(text, lookup, escapeToken, false).whole();
}

/** As `expandWord`, and splits at blanks, also those that variables bring, outside of quotes. */
export function expandWords(text: string, lookup: Lookup, escapeToken = "\\"): string[] {
  const words = new Expansion(text, lookup, escapeToken, false).split();
  return words.filter((word) => word !== "");
}

/** Replaces variables but leaves quotes and escapes of others as they are: for documents. */
export function expandDocument(text: string, lookup: Lookup, escapeToken = "\\"): string {
  return new Expansion(text, lookup, escapeToken, true).whole();
}

/** A few variables of variables could fill the memory, or the stack. */
const longest = 4 << 20;
const deepest = 200;

class Expansion {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escapeToken: string;
  /** Quotes mean nothing. */
  readonly #raw: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, lookup: Lookup, escapeToken: string, raw: boolean) {
    this.#text = text;
    this.#lookup = lookup;
    this.#escapeToken = escapeToken;
    this.#raw = raw;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  /** All of it. */
  whole(): string {
    const pieces = this.word("");
    if (pieces.reduce((sum, piece) => sum + piece.length, 0) > longest)
      throw new ExpansionError(`it comes to more than ${longest} letters`);
    return pieces.join("");
  }

  split(): string[] {
    const words: string[] = [];
    let open = false;
    const add = (piece: string, splits: boolean): void => {
      const parts = splits ? piece.split(/[ \t\n]+/) : [piece];
      for (const [index, part] of parts.entries()) {
        if (index === 0 && open) words[words.length - 1] += part;
        else words.push(part);
        open = true;
      }
    };
    while (this.#at < this.#text.length) {
      if (/\s/.test(this.#peek())) {
        this.#at++;
        open = false;
        continue;
      }
      const splits = this.#peek() === "$";
      add(this.#piece(), splits);
    }
    return words;
  }

  /** Up to one of the letters in `stop`, which is left. */
  word(stop: string): string[] {
    const pieces: string[] = [];
    while (this.#at < this.#text.length && !(stop !== "" && stop.includes(this.#peek()))) {
      pieces.push(this.#piece());
    }
    return pieces;
  }

  /** A pattern of the shell up to one of the letters in `stop`; not beyond the text. */
  #pattern(stop: string): Token[] {
    const tokens: Token[] = [];
    while (this.#at < this.#text.length && !stop.includes(this.#peek())) {
      const c = this.#peek();
      // What is quoted means itself.
      if (c === this.#escapeToken || (!this.#raw && (c === "'" || c === '"')))
        tokens.push(...Array.from(this.#piece(), literally));
      else tokens.push(...Array.from(this.#piece(), shellToken));
    }
    if (this.#at >= this.#text.length) throw new ExpansionError("syntax error: missing '}'");
    return tokens;
  }

  #piece(): string {
    const c = this.#peek();
    if (c === "$") return this.#dollar();
    if (!this.#raw && c === "'") return this.#single();
    if (!this.#raw && c === '"') return this.#double();
    this.#at++;
    if (c !== this.#escapeToken || this.#at >= this.#text.length) return c;
    const escaped = this.#peek();
    this.#at++;
    if (this.#raw && escaped !== "$" && escaped !== this.#escapeToken) return c + escaped;
    return escaped;
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0)
      throw new ExpansionError("unexpected end of statement while looking for matching single-quote");
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let result = "";
    this.#at++;
    while (this.#peek() !== '"') {
      if (this.#at >= this.#text.length)
        throw new ExpansionError("unexpected end of statement while looking for matching double-quote");
      const c = this.#peek();
      if (c === "$") {
        result += this.#dollar();
        continue;
      }
      this.#at++;
      const escaped = this.#peek();
      if (c === this.#escapeToken && (escaped === '"' || escaped === "$" || escaped === this.#escapeToken)) {
        result += escaped;
        this.#at++;
      } else result += c;
    }
    this.#at++;
    return result;
  }

  #dollar(): string {
    if (++this.#depth > deepest) throw new ExpansionError(`more than ${deepest} variables within each other`);
    try {
      return this.#variable();
    } finally {
      this.#depth--;
    }
  }

  #variable(): string {
    this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#lookup(name) ?? "");
    }
    this.#at++;
    const name = this.#name();
    if (name === "") throw new ExpansionError("syntax error: bad substitution");
    const c = this.#peek();
    const value = this.#lookup(name, /[:?+-]/.test(c));
    if (c === "}") {
      this.#at++;
      return value ?? "";
    }
    if (c === "") throw new ExpansionError("syntax error: missing '}'");
    this.#at++;
    if (c === "#" || c === "%") return this.#trim(c, value ?? "");
    if (c === "/") return this.#replace(value ?? "");
    return this.#choose(c, name, value);
  }

  #choose(first: string, name: string, value: string | undefined): string {
    const colon = first === ":";
    const operator = colon ? this.#peek() : first;
    if (colon) this.#at++;
    if (operator === "" || !"-+?".includes(operator)) {
      throw new ExpansionError(`unsupported modifier (${operator}) in substitution`);
    }
    const word = this.#argument("}");
    const set = value !== undefined && !(colon && value === "");
    if (operator === "-") return set ? value : word;
    if (operator === "+") return set ? word : "";
    if (set) return value;
    throw new ExpansionError(`${name}: ${word || (colon ? "not set or empty" : "not set")}`);
  }

  /** Evaluated whether it is used or not: its end must be found. */
  #argument(stop: string): string {
    const word = this.word(stop).join("");
    if (this.#at >= this.#text.length) throw new ExpansionError("syntax error: missing '}'");
    this.#at++;
    return word;
  }

  #trim(kind: string, value: string): string {
    const greedy = this.#peek() === kind;
    if (greedy) this.#at++;
    const pattern = this.#pattern("}");
    this.#at++;
    const letters = Array.from(value);
    if (kind === "%") {
      // From the end everything is the other way round.
      letters.reverse();
      pattern.reverse();
    }
    let length = 0;
    for (const end of matchEnds(pattern, letters)) {
      length = end;
      if (!greedy) break;
    }
    const rest = letters.slice(length);
    return (kind === "%" ? rest.reverse() : rest).join("");
  }

  #replace(value: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at++;
    const pattern = this.#pattern("/}");
    const hasReplacement = this.#peek() === "/";
    this.#at++;
    const replacement = hasReplacement ? this.#argument("}") : "";
    if (pattern.length === 0) return value;
    const letters = Array.from(value);
    // Looked for at every place: time is that of the length squared.
    if (letters.length > maxSearched && pattern.includes("deep"))
      throw new ExpansionError(
        `a value of more than ${maxSearched} letters is too long for a pattern with *`,
      );
    const reach = pattern.includes("deep") ? letters.length : pattern.length;
    let result = "";
    for (let at = 0, done = false; at < letters.length; ) {
      const length = done ? 0 : longestMatch(pattern, letters.slice(at, at + reach));
      result += length === 0 ? letters[at] : replacement;
      at += length || 1;
      if (length > 0 && !all) done = true;
    }
    return result;
  }

  #name(): string {
    const [name = ""] = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#])/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += name.length;
    return name;
  }
}

const maxSearched = 10_000;

/** `*` and `?` of the shell. */
const shellToken = (letter: string): Token =>
  letter === "*" ? "deep" : letter === "?" ? { one: () => true } : literally(letter);

function longestMatch(pattern: readonly Token[], letters: readonly string[]): number {
  let longest = 0;
  for (const end of matchEnds(pattern, letters)) longest = end;
  return longest;
}
