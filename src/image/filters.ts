import { invalid } from "../lib/errors.ts";
import type { ImageFilters } from "./types.ts";

/** Throws INVALID_PARAMETER for a filter that the operation does not know, with dockerd's words. */
export function checkFilters(filters: ImageFilters, known: readonly string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
  }
}

/** A filter that is true or false; undefined when it is not given. */
export function booleanFilter(filters: ImageFilters, name: string): boolean | undefined {
  const values = filters[name];
  if (values === undefined || values.length === 0) return undefined;
  const truths = values.map((value) => truth(name, value));
  const [first] = truths;
  if (truths.some((value) => value !== first))
    throw invalid(`invalid filter '${name}=[${values.join(" ")}]'`);
  return first;
}

function truth(name: string, value: string): boolean {
  if (["1", "t", "true", "T", "TRUE", "True"].includes(value)) return true;
  if (["0", "f", "false", "F", "FALSE", "False"].includes(value)) return false;
  throw invalid(`invalid filter '${name}=[${value}]'`);
}

/** Whether labels have all of `key` or `key=value`. */
export function hasLabels(wanted: readonly string[], labels: Record<string, string>): boolean {
  return wanted.every((want) => {
    const equals = want.indexOf("=");
    const key = equals < 0 ? want : want.slice(0, equals);
    return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === want.slice(equals + 1));
  });
}

/**
 * Whether a short name matches a pattern in the manner of Go's path.Match: `*` and `?` stop at slashes,
 * `[a-z]` is one of a set. A pattern without a tag matches every tag.
 */
export function matchesReference(pattern: string, name: string): boolean {
  const expression = globExpression(pattern);
  if (expression.test(name)) return true;
  const colon = name.lastIndexOf(":");
  const at = name.indexOf("@");
  const end = at >= 0 ? at : colon > name.lastIndexOf("/") ? colon : -1;
  return end >= 0 && expression.test(name.slice(0, end));
}

function globExpression(pattern: string): RegExp {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] ?? "";
    if (c === "*") source += "[^/]*";
    else if (c === "?") source += "[^/]";
    else if (c === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) throw invalid("syntax error in pattern");
      source += `[${pattern.slice(i + 1, end).replace(/[\\[\]]/g, "\\$&")}]`;
      i = end;
    } else if (c === "\\") source += literal(pattern[++i] ?? "\\");
    else source += literal(c);
  }
  return new RegExp(`^${source}$`);
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
