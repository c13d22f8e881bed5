const literals: Record<string, string> = { t: "true", f: "false", n: "null" };
const digit = /[0-9]/;
const hex = /[0-9a-fA-F]/;

class Flaw extends Error {}

/**
 * Why `text` is not JSON, in the words of Go's encoding/json, which Docker's clients know. For texts
 * that JSON.parse refuses; "" when its first value is sound, so that what follows it is the flaw.
 */
export function jsonFlaw(text: string): string {
  try {
    new Scanner(text).value();
    return "";
  } catch (error) {
    if (error instanceof Flaw) return error.message;
    throw error;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): void {
    const first = this.#next();
    if (first === "{") this.#object();
    else if (first === "[") this.#array();
    else if (first === '"') this.#string();
    else if (first === "-" || digit.test(first)) this.#number(first);
    else if (literals[first]) this.#literal(literals[first]);
    else this.#fail(first, "looking for beginning of value");
  }

  #object(): void {
    for (let first = true; ; first = false) {
      const key = this.#next();
      if (key === "}" && first) return;
      if (key !== '"') this.#fail(key, "looking for beginning of object key string");
      this.#string();
      const colon = this.#next();
      if (colon !== ":") this.#fail(colon, "after object key");
      this.value();
      const after = this.#next();
      if (after === "}") return;
      if (after !== ",") this.#fail(after, "after object key:value pair");
    }
  }

  #array(): void {
    if (this.#peekPastSpace() === "]") {
      this.#at++;
      return;
    }
    for (;;) {
      this.value();
      const after = this.#next();
      if (after === "]") return;
      if (after !== ",") this.#fail(after, "after array element");
    }
  }

  #string(): void {
    for (;;) {
      const char = this.#raw();
      if (char === '"') return;
      if (char < " ") this.#fail(char, "in string literal");
      if (char !== "\\") continue;
      const escaped = this.#raw();
      if (escaped === "u") {
        for (let i = 0; i < 4; i++) {
          const code = this.#raw();
          if (!hex.test(code)) this.#fail(code, "in \\u hexadecimal character escape");
        }
      } else if (!'"\\/bfnrt'.includes(escaped)) this.#fail(escaped, "in string escape code");
    }
  }

  #number(first: string): void {
    let lead = first;
    if (lead === "-") {
      lead = this.#raw();
      if (!digit.test(lead)) this.#fail(lead, "in numeric literal");
    }
    if (lead !== "0") this.#digits();
    if (this.#text[this.#at] === ".") {
      this.#at++;
      const fraction = this.#raw();
      if (!digit.test(fraction)) this.#fail(fraction, "after decimal point in numeric literal");
      this.#digits();
    }
    if (this.#text[this.#at] === "e" || this.#text[this.#at] === "E") {
      this.#at++;
      let exponent = this.#raw();
      if (exponent === "+" || exponent === "-") exponent = this.#raw();
      if (!digit.test(exponent)) this.#fail(exponent, "in exponent of numeric literal");
      this.#digits();
    }
  }

  #digits(): void {
    while (digit.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #literal(word: string): void {
    for (const expected of word.slice(1)) {
      const char = this.#raw();
      if (char !== expected) this.#fail(char, `in literal ${word} (expecting '${expected}')`);
    }
  }

  #peekPastSpace(): string | undefined {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
    return this.#text[this.#at];
  }

  #next(): string {
    this.#peekPastSpace();
    return this.#raw();
  }

  #raw(): string {
    const char = this.#text[this.#at++];
    if (char === undefined) throw new Flaw("unexpected EOF");
    return char;
  }

  #fail(char: string, context: string): never {
    const quoted = char === "'" ? "'\\''" : char === '"' ? `'"'` : `'${JSON.stringify(char).slice(1, -1)}'`;
    throw new Flaw(`invalid character ${quoted} ${context}`);
  }
}
