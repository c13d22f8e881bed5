import { unquote } from "./go-strings.ts";
import { lex, type Piece, TemplateError, type Token } from "./lex.ts";

/** Something that has a value. */
export type Operand = Written &
  (
    | { kind: "literal"; value: string | number | boolean | null }
    | { kind: "dot" }
    | { kind: "variable"; name: string }
    | { kind: "function"; name: string }
    | { kind: "group"; pipeline: Pipeline }
    | { kind: "fields"; of: Operand; names: string[] }
  );

/** How and where something is written in the template. */
export interface Written {
  text: string;
  at: number;
}

/** An operand applied to arguments. */
export interface CommandNode {
  operands: Operand[];
}

/** Commands, each given the value of the one before as its last argument. */
export interface Pipeline {
  variables: string[];
  assign: "declare" | "set" | null;
  commands: CommandNode[];
}

export type Node =
  | { kind: "text"; text: string }
  | { kind: "action"; pipeline: Pipeline }
  | { kind: "if" | "with" | "range"; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
  | { kind: "break" | "continue" };

/** Parses a template; `known` says which function names exist. Throws `TemplateError`. */
export function parseTemplate(source: string, known: (name: string) => boolean): Node[] {
  const parser = new Parser(lex(source), known);
  return parser.parseAll();
}

class Parser {
  readonly #pieces: Piece[];
  readonly #known: (name: string) => boolean;
  #next = 0;
  #tokens: Token[] = [];
  #line = 1;

  constructor(pieces: Piece[], known: (name: string) => boolean) {
    this.#pieces = pieces;
    this.#known = known;
  }

  parseAll(): Node[] {
    const { nodes, end } = this.#parseList();
    if (end !== "") throw this.#error(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Reads nodes up to `{{end}}` or `{{else}}`, whose keyword it returns; "" at the end of the template. */
  #parseList(): { nodes: Node[]; end: string } {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#next++];
      if (piece === undefined) return { nodes, end: "" };
      if ("text" in piece) {
        nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      this.#tokens = trim(piece.action);
      this.#line = piece.line;
      const word = this.#tokens[0]?.kind === "identifier" ? this.#tokens[0].text : "";
      if (word === "end" || word === "else") {
        this.#take();
        return { nodes, end: word };
      }
      if (word === "if" || word === "with" || word === "range") {
        this.#take();
        nodes.push(this.#parseControl(word));
      } else if (word === "break" || word === "continue") {
        nodes.push({ kind: word });
      } else if (word === "define" || word === "template" || word === "block") {
        throw this.#error(`{{${word}}} is not supported`);
      } else {
        nodes.push({ kind: "action", pipeline: this.#parsePipeline("command") });
        this.#expectEnd();
      }
    }
  }

  #parseControl(kind: "if" | "with" | "range"): Node {
    const pipeline = this.#parsePipeline(kind);
    this.#expectEnd();
    const body = this.#parseList();
    let otherwise: Node[] = [];
    if (body.end === "else") {
      this.#skipSpace();
      const word = this.#tokens[0]?.text;
      if (word === kind && kind !== "range") {
        // `else if` is an if inside the else; both end at the same {{end}}.
        this.#take();
        return { kind, pipeline, body: body.nodes, otherwise: [this.#parseControl(kind)] };
      }
      this.#expectEnd();
      const rest = this.#parseList();
      if (rest.end !== "end") throw this.#error("unexpected EOF");
      otherwise = rest.nodes;
    } else if (body.end !== "end") {
      throw this.#error("unexpected EOF");
    }
    return { kind, pipeline, body: body.nodes, otherwise };
  }

  #parsePipeline(where: string): Pipeline {
    const pipeline: Pipeline = { variables: [], assign: null, commands: [] };
    const declared = this.#declaration();
    if (declared) {
      pipeline.variables = declared.variables;
      pipeline.assign = declared.assign;
    }
    for (;;) {
      this.#skipSpace();
      const operands: Operand[] = [];
      while (this.#tokens.length > 0 && !this.#peek("|") && !this.#peek(")")) {
        operands.push(this.#parseOperand());
        const after = this.#tokens[0];
        if (after && after.kind !== "space" && after.text !== "|" && after.text !== ")")
          throw this.#error(`unexpected ${JSON.stringify(after.text)} in operand`);
        this.#skipSpace();
      }
      if (operands.length === 0) throw this.#error(`missing value for ${where}`);
      pipeline.commands.push({ operands });
      if (!this.#peek("|")) return pipeline;
      this.#take();
    }
  }

  /** `$x :=`, `$x =` or `$i, $x :=` at the front, if there is one. */
  #declaration(): { variables: string[]; assign: "declare" | "set" } | undefined {
    const tokens = this.#tokens.filter((token) => token.kind !== "space");
    const variables: string[] = [];
    let at = 0;
    for (;;) {
      const variable = tokens[at];
      if (variable?.kind !== "variable") return undefined;
      variables.push(variable.text);
      const sign = tokens[at + 1]?.text;
      at += 2;
      if (sign === ",") continue;
      if (sign !== ":=" && sign !== "=") return undefined;
      for (let taken = 0; taken < at; ) {
        const token = this.#take();
        if (token.kind !== "space") taken++;
      }
      return { variables, assign: sign === ":=" ? "declare" : "set" };
    }
  }

  #parseOperand(): Operand {
    let operand = this.#parseTerm();
    const names: string[] = [];
    let { text, at } = operand;
    // Go takes the place of what follows the first part of a chain for that of the chain.
    let parts = text === "" ? 0 : 1;
    while (this.#tokens[0]?.kind === "field") {
      const field = this.#take();
      names.push(field.text.slice(1));
      text += field.text;
      if (++parts === 2) at = field.at;
    }
    if (names.length > 0) {
      if (operand.kind === "literal") throw this.#error(`unexpected . after term ${operand.text}`);
      operand = { kind: "fields", of: operand, names, text, at };
    }
    return operand;
  }

  #parseTerm(): Operand {
    const token = this.#tokens[0];
    if (token === undefined) throw this.#error("unexpected EOF");
    const { kind, text, at } = token;
    // The chain of fields that follows is read by the caller.
    if (kind === "field") return { kind: "dot", text: "", at };
    this.#take();
    const literal = (value: string | number | boolean | null): Operand => ({
      kind: "literal",
      value,
      text,
      at,
    });
    if (text === ".") return { kind: "dot", text, at };
    if (kind === "variable") return { kind: "variable", name: text, text, at };
    if (kind === "string") return literal(unquote(text));
    if (kind === "char") return literal(unquote(text).codePointAt(0) ?? 0);
    if (kind === "number") return literal(Number(text.replaceAll("_", "")));
    if (text === "true" || text === "false") return literal(text === "true");
    if (text === "nil") return literal(null);
    if (kind === "identifier") {
      if (!this.#known(text)) throw this.#error(`function ${JSON.stringify(text)} not defined`);
      return { kind: "function", name: text, text, at };
    }
    if (text === "(") {
      const pipeline = this.#parsePipeline("parenthesized pipeline");
      if (!this.#peek(")")) throw this.#error("unclosed left paren");
      this.#take();
      return { kind: "group", pipeline, text: "(...)", at };
    }
    throw this.#error(`unexpected ${JSON.stringify(text)} in command`);
  }

  #peek(text: string): boolean {
    return this.#tokens[0]?.kind === "symbol" && this.#tokens[0].text === text;
  }

  #take(): Token {
    const token = this.#tokens.shift();
    if (token === undefined) throw this.#error("unexpected EOF");
    return token;
  }

  #skipSpace(): void {
    while (this.#tokens[0]?.kind === "space") this.#tokens.shift();
  }

  #expectEnd(): void {
    this.#skipSpace();
    const left = this.#tokens[0];
    if (left) throw this.#error(`unexpected ${JSON.stringify(left.text)} in command`);
  }

  #error(message: string): TemplateError {
    return new TemplateError(message, this.#line);
  }
}

function trim(tokens: Token[]): Token[] {
  const list = [...tokens];
  while (list[0]?.kind === "space") list.shift();
  return list;
}
