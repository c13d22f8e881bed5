import { functions, type TemplateFunction, truth } from "./functions.ts";
import { TemplateError } from "./lex.ts";
import {
  type CommandNode,
  type Node,
  type Operand,
  type Pipeline,
  parseTemplate,
  type Written,
} from "./parse.ts";
import { printValue } from "./print.ts";

/** How a field that a value does not have is treated. */
export type Missing = "error" | "empty";

export interface TemplateOptions {
  /** Functions besides, or instead of, the usual ones. */
  functions?: Record<string, TemplateFunction>;
  /** `empty` gives `<no value>` as Go does for maps; `error`, the default, fails. */
  missing?: Missing;
  /** Fields that hold maps, whose keys may be missing. */
  maps?: ReadonlySet<string>;
  /** What fields are that the data leaves out. */
  absent?: ReadonlyMap<string, unknown>;
  /** How an action prints no value: `<no value>` unless given. */
  nil?: string;
  /** What an error calls the type of the data, if it is no map. */
  typeName?: string;
}

/**
 * A compiled template in the syntax of Go's text/template, for the part of it that `--format` needs:
 * fields, variables, pipelines, functions, if, with, range, break and continue.
 *
 * @example compileTemplate("{{.ID}}: {{join .Tags \", \"}}")({ ID: "a", Tags: ["x", "y"] }) // "a: x, y"
 */
export function compileTemplate(source: string, options: TemplateOptions = {}): (data: unknown) => string {
  const table: Record<string, TemplateFunction> = { ...functions, ...options.functions };
  const known = (name: string) => name === "and" || name === "or" || Object.hasOwn(table, name);
  const nodes = parseTemplate(source, known);
  return (data) => {
    const run = new Run(source, table, options, data);
    run.nodes(nodes, data);
    return run.output;
  };
}

class LoopSignal {
  readonly kind: "break" | "continue";
  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

class Run {
  output = "";
  readonly #source: string;
  readonly #functions: Record<string, TemplateFunction>;
  readonly #options: TemplateOptions;
  readonly #variables: { name: string; value: unknown }[];

  constructor(
    source: string,
    table: Record<string, TemplateFunction>,
    options: TemplateOptions,
    data: unknown,
  ) {
    this.#source = source;
    this.#functions = table;
    this.#options = options;
    this.#variables = [{ name: "$", value: data }];
  }

  nodes(nodes: readonly Node[], dot: unknown): void {
    for (const node of nodes) this.#node(node, dot);
  }

  #node(node: Node, dot: unknown): void {
    switch (node.kind) {
      case "text":
        this.output += node.text;
        return;
      case "action": {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.assign === null)
          this.output += value === null ? (this.#options.nil ?? "<no value>") : printValue(value);
        return;
      }
      case "break":
      case "continue":
        throw new LoopSignal(node.kind);
      case "if":
      case "with": {
        const mark = this.#variables.length;
        const value = this.#pipeline(node.pipeline, dot);
        if (truth(value)) this.nodes(node.body, node.kind === "with" ? value : dot);
        else this.nodes(node.otherwise, dot);
        this.#variables.length = mark;
        return;
      }
      case "range":
        this.#range(node, dot);
    }
  }

  #range(node: Extract<Node, { pipeline: Pipeline; body: Node[] }>, dot: unknown): void {
    const mark = this.#variables.length;
    const { variables, ...pipeline } = node.pipeline;
    const value = this.#pipeline({ ...pipeline, variables: [], assign: null }, dot);
    const entries = this.#entries(value);
    for (const [key, item] of entries) {
      if (variables.length === 1) this.#variables.push({ name: variables[0] ?? "", value: item });
      if (variables.length === 2) {
        this.#variables.push({ name: variables[0] ?? "", value: key });
        this.#variables.push({ name: variables[1] ?? "", value: item });
      }
      try {
        this.nodes(node.body, item);
      } catch (signal) {
        if (!(signal instanceof LoopSignal)) throw signal;
        if (signal.kind === "break") break;
      } finally {
        this.#variables.length = mark;
      }
    }
    if (entries.length === 0) this.nodes(node.otherwise, dot);
  }

  #entries(value: unknown): [unknown, unknown][] {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.map((item, i): [unknown, unknown] => [i, item]);
    if (typeof value === "number") return Array.from({ length: value }, (_, i): [unknown, unknown] => [i, i]);
    if (typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    throw new TemplateError(`range can't iterate over ${printValue(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: unknown): unknown {
    let value: unknown;
    pipeline.commands.forEach((command, i) => {
      value = this.#command(command, dot, i > 0 ? [value] : []);
    });
    const name = pipeline.variables[0];
    if (name !== undefined) {
      if (pipeline.assign === "declare") this.#variables.push({ name, value });
      else this.#variable(name).value = value;
    }
    return value;
  }

  #command({ operands }: CommandNode, dot: unknown, last: unknown[]): unknown {
    const [first, ...rest] = operands;
    if (first === undefined) return undefined;
    if (first.kind === "function" && (first.name === "and" || first.name === "or")) {
      let value: unknown;
      for (const argument of [
        ...rest.map((operand) => () => this.#operand(operand, dot)),
        ...last.map((v) => () => v),
      ]) {
        value = argument();
        if (truth(value) === (first.name === "or")) break;
      }
      return value;
    }
    const args = () => [...rest.map((operand) => this.#operand(operand, dot)), ...last];
    const written = { text: operands.map(({ text }) => text).join(" "), at: first.at };
    if (first.kind === "function")
      return this.#call(first.name, this.#functions[first.name], args(), written);
    const value = this.#operand(first, dot, true);
    if (typeof value === "function")
      return this.#call(first.text, value as TemplateFunction, args(), written);
    if (rest.length > 0 || last.length > 0)
      throw this.#error(first, `can't give argument to non-function ${first.text}`);
    return value;
  }

  #call(name: string, called: TemplateFunction | undefined, args: unknown[], written: Written): unknown {
    if (called === undefined) throw new TemplateError(`function ${JSON.stringify(name)} not defined`);
    try {
      return called(...args);
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof Error)) throw error;
      throw this.#error(written, `error calling ${name}: ${error.message}`);
    }
  }

  /** An operand's value; a method without arguments is called unless the caller has arguments for it. */
  #operand(operand: Operand, dot: unknown, keepMethod = false): unknown {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "variable":
        return this.#variable(operand.name).value;
      case "function":
        return this.#call(operand.name, this.#functions[operand.name], [], operand);
      case "group":
        return this.#pipeline(operand.pipeline, dot);
      case "fields": {
        let value = this.#operand(operand.of, dot);
        operand.names.forEach((name, i) => {
          value = this.#field(value, name, operand, operand.names[i - 1]);
        });
        return typeof value === "function" && !keepMethod ? value() : value;
      }
    }
  }

  #field(value: unknown, name: string, operand: Operand, parent: string | undefined): unknown {
    const { missing, maps, absent, typeName } = this.#options;
    if (value === null || value === undefined) {
      if (missing === "empty") return undefined;
      throw this.#error(operand, `nil pointer evaluating interface {}.${name}`);
    }
    if (typeof value !== "object" || Array.isArray(value))
      throw this.#error(operand, `can't evaluate field ${name} in type interface {}`);
    if (name in value) return Object(value)[name];
    if (missing === "empty" || (parent !== undefined && maps?.has(parent))) return undefined;
    if (absent?.has(name)) return absent.get(name);
    if (typeName) throw this.#error(operand, `can't evaluate field ${name} in type ${typeName}`);
    throw this.#error(operand, `map has no entry for key ${JSON.stringify(name)}`);
  }

  #variable(name: string): { name: string; value: unknown } {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) throw new TemplateError(`undefined variable ${JSON.stringify(name)}`);
    return variable;
  }

  #error({ text, at }: Written, message: string): TemplateError {
    const before = this.#source.slice(0, at).split("\n");
    const column = Buffer.byteLength(before.at(-1) ?? "");
    return new TemplateError(`executing "" at <${text}>: ${message}`, `${before.length}:${column}`);
  }
}
