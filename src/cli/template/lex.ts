/** A piece of an action; `text` is as written. */
export interface Token {
  kind: "field" | "variable" | "identifier" | "string" | "number" | "char" | "symbol" | "space";
  text: string;
  /** Where it begins in the template. */
  at: number;
}

/** A template split into text and the tokens of its actions. */
export type Piece = { text: string } | { action: Token[]; line: number };

/** A template that cannot be read, or not be applied. `message` says where and why. */
export class TemplateError extends Error {
  /** `where` is the line, or line and column. */
  constructor(message: string, where: number | string = 1) {
    super(`template: :${where}: ${message}`);
    this.name = "TemplateError";
  }
}

const patterns: [Token["kind"], RegExp][] = [
  ["space", /^[ \t\r\n]+/],
  ["string", /^"(?:[^"\\\n]|\\.)*"/],
  ["string", /^`[^`]*`/],
  ["char", /^'(?:[^'\\\n]|\\.[^']*)'/],
  ["field", /^\.[\p{L}\p{N}_]+/u],
  ["variable", /^\$[\p{L}\p{N}_]*/u],
  ["number", /^[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/],
  ["identifier", /^[\p{L}_][\p{L}\p{N}_]*/u],
  ["symbol", /^(?::=|[().,|=])/],
];

/** Splits a template of Go's text/template at its `{{` and `}}`; throws `TemplateError`. */
export function lex(source: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = source;
  let trimNext = false;
  let line = 1;
  for (;;) {
    const open = rest.indexOf("{{");
    let text = open < 0 ? rest : rest.slice(0, open);
    line += count(text);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    if (open < 0) {
      if (text) pieces.push({ text });
      return pieces;
    }
    rest = rest.slice(open + 2);
    if (/^-[ \t\r\n]/.test(rest)) {
      text = text.replace(/[ \t\r\n]+$/, "");
      rest = rest.slice(1);
    }
    if (text) pieces.push({ text });
    const comment = /^[ \t\r\n]*\/\*[\s\S]*?\*\/([ \t\r\n]-)?\}\}/.exec(rest);
    if (comment) {
      rest = rest.slice(comment[0].length);
      trimNext = comment[1] !== undefined;
      continue;
    }
    const started = line;
    const action = lexAction(rest, line, source.length);
    rest = action.rest;
    trimNext = action.trim;
    line += count(action.tokens.map((token) => token.text).join(""));
    pieces.push({ action: action.tokens, line: started });
  }
}

function lexAction(
  source: string,
  line: number,
  length: number,
): { tokens: Token[]; rest: string; trim: boolean } {
  const tokens: Token[] = [];
  let rest = source;
  for (;;) {
    const end = /^([ \t\r\n]-)?\}\}/.exec(rest);
    if (end) return { tokens, rest: rest.slice(end[0].length), trim: end[1] !== undefined };
    if (rest === "") throw new TemplateError("unclosed action", line);
    const token = next(rest);
    if (token === undefined) {
      if (rest.startsWith('"')) throw new TemplateError("unterminated quoted string", line);
      if (rest.startsWith("`")) throw new TemplateError("unterminated raw quoted string", line);
      throw new TemplateError(`unexpected ${JSON.stringify(rest[0])} in command`, line);
    }
    tokens.push({ ...token, at: length - rest.length });
    rest = rest.slice(token.text.length);
  }
}

function next(rest: string): Omit<Token, "at"> | undefined {
  for (const [kind, pattern] of patterns) {
    const match = pattern.exec(rest);
    if (match) return { kind, text: match[0] };
  }
  return undefined;
}

function count(text: string): number {
  return text.split("\n").length - 1;
}
