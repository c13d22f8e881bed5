const escapes: Record<string, string> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The value of a Go string or rune literal, quotes included in `literal`. */
export function unquote(literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner;
  return inner.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs,
    (_, x, u, long, octal, letter) => {
      const code = x ?? u ?? long;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      return escapes[letter] ?? letter;
    },
  );
}

/** Go's %q: a double-quoted string with what cannot be printed escaped. */
export function quote(text: string): string {
  let result = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === '"' || char === "\\") result += `\\${char}`;
    else if (char === "\n") result += "\\n";
    else if (char === "\r") result += "\\r";
    else if (char === "\t") result += "\\t";
    else if (code === 7) result += "\\a";
    else if (code === 8) result += "\\b";
    else if (code === 11) result += "\\v";
    else if (code === 12) result += "\\f";
    else if (code < 32 || code === 127) result += `\\x${code.toString(16).padStart(2, "0")}`;
    else result += char;
  }
  return `${result}"`;
}
