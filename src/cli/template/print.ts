import { quote } from "./go-strings.ts";

/** The key of an object's fields with their zero values, where Go prints it as a struct: `{a b}`. */
export const structFields = Symbol("structFields");

/** A value as Go's %v prints it: `map[a:1 b:2]`, `[x y]`, `<no value>` for nothing at all. */
export function printValue(value: unknown, top = true): string {
  if (value === undefined || value === null) return top ? "<no value>" : "<nil>";
  if (Array.isArray(value)) return `[${value.map((item) => printValue(item, false)).join(" ")}]`;
  if (typeof value === "number") return printNumber(value);
  if (typeof value === "object") {
    const fields = Reflect.get(value, structFields) as readonly (readonly [string, unknown])[] | undefined;
    if (fields)
      return `{${fields.map(([key, zero]) => printValue(Reflect.get(value, key) ?? zero, false)).join(" ")}}`;
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `map[${entries.map(([key, item]) => `${key}:${printValue(item, false)}`).join(" ")}]`;
  }
  return String(value);
}

function printNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}

/** The key of an object's own JSON, where it is not made from its properties. */
export const marshal = Symbol("marshal");

/** JSON as docker's `json` function makes it: compact, nothing escaped for HTML. */
export function toJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (value === null || value === undefined || typeof value === "function") return "null";
  if (typeof value === "object" && marshal in value && typeof value[marshal] === "function")
    return String(value[marshal]());
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value)
      .filter(([, item]) => typeof item !== "function" && item !== undefined)
      .map(([key, item]) => `${JSON.stringify(key)}:${toJson(item)}`);
    return `{${pairs.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Go's fmt.Sprintf for the values a template can have. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let used = 0;
  const text = format.replace(
    /%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?([a-zA-Z%])/g,
    (spec, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      const wide = width === "*" ? Number(args[used++]) : Number(width ?? 0);
      const digits = spec.includes(".")
        ? precision === "*"
          ? Number(args[used++])
          : Number(precision ?? 0)
        : undefined;
      if (used >= args.length) return `%!${verb}(MISSING)`;
      return pad(verbText(verb, args[used++], flags, digits), wide, flags, verb);
    },
  );
  if (used >= args.length) return text;
  const extra = args.slice(used).map((value) => `${goType(value)}=${printValue(value, false)}`);
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function verbText(verb: string, value: unknown, flags: string, digits: number | undefined): string {
  const number = typeof value === "number" || typeof value === "bigint" ? value : undefined;
  const sign = flags.includes("+") && number !== undefined && number >= 0 ? "+" : "";
  switch (verb) {
    case "v":
      return sign + printValue(value, false);
    case "s": {
      if (number !== undefined || typeof value === "boolean") break;
      const text = printValue(value, false);
      return digits === undefined ? text : [...text].slice(0, digits).join("");
    }
    case "q":
      if (typeof value === "string") return quote(value);
      if (typeof value === "number") return `'${String.fromCodePoint(value)}'`;
      if (Array.isArray(value)) return `[${value.map((item) => quote(String(item))).join(" ")}]`;
      break;
    case "d":
      if (typeof number === "bigint" || (number !== undefined && Number.isInteger(number)))
        return sign + String(number);
      break;
    case "t":
      if (typeof value === "boolean") return String(value);
      break;
    case "x":
    case "X": {
      const hex =
        number !== undefined
          ? number.toString(16)
          : typeof value === "string"
            ? Buffer.from(value).toString("hex")
            : undefined;
      if (hex !== undefined) return verb === "X" ? hex.toUpperCase() : hex;
      break;
    }
    case "o":
    case "b":
      if (number !== undefined) return number.toString(verb === "o" ? 8 : 2);
      break;
    case "c":
      if (typeof value === "number") return String.fromCodePoint(value);
      break;
    case "f":
    case "F":
      if (number !== undefined) return sign + Number(number).toFixed(digits ?? 6);
      break;
    case "e":
    case "g":
      if (number !== undefined)
        return verb === "g" ? printValue(number) : Number(number).toExponential(digits ?? 6);
      break;
    case "T":
      return goType(value);
  }
  return `%!${verb}(${goType(value)}=${printValue(value, false)})`;
}

function pad(text: string, width: number, flags: string, verb: string): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0") || verb === "s" || verb === "v" || verb === "q") return " ".repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

/** The name Go has for a value's type. */
export function goType(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int64";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return Array.isArray(value) ? "[]interface {}" : "map[string]interface {}";
}
