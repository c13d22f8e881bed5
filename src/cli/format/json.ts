/**
 * Indents JSON without reading its values, so that numbers and escapes stay as the server wrote them.
 * `prefix` begins every line after the first.
 */
export function indentJson(json: string, indent = "    ", prefix = ""): string {
  let result = "";
  let depth = 0;
  const newline = () => {
    result += `\n${prefix}${indent.repeat(depth)}`;
  };
  for (let i = 0; i < json.length; i++) {
    const char = json[i] ?? "";
    if (char === '"') {
      let end = i + 1;
      while (end < json.length && json[end] !== '"') end += json[end] === "\\" ? 2 : 1;
      result += json.slice(i, end + 1);
      i = end;
    } else if (char === "{" || char === "[") {
      const close = char === "{" ? "}" : "]";
      let end = i + 1;
      while (/\s/.test(json[end] ?? "x")) end++;
      if (json[end] === close) {
        result += char + close;
        i = end;
      } else {
        result += char;
        depth++;
        newline();
      }
    } else if (char === "}" || char === "]") {
      depth--;
      newline();
      result += char;
    } else if (char === ",") {
      result += char;
      newline();
    } else if (char === ":") {
      result += ": ";
    } else if (!/\s/.test(char)) {
      result += char;
    }
  }
  return result;
}

/**
 * Parses JSON; integers that a number cannot hold become bigints, and `null` as the value of a field
 * becomes what `nullField` says.
 */
export function parseJson(json: string, nullField: (name: string) => unknown = () => null): unknown {
  return JSON.parse(json, (key, value: unknown, context?: { source?: string }) => {
    if (value === null) return nullField(key);
    const large = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
    return large && context?.source ? toBigInt(context.source, value) : value;
  });
}

function toBigInt(source: string, value: number): bigint | number {
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
