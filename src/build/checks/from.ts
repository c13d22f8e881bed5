import { parseReference } from "../../image/reference.ts";
import { BerthError } from "../../lib/errors.ts";
import { nearest } from "../../lib/nearest.ts";
import { ExpansionError, expandWord } from "../dockerfile/expand.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import type { Report } from "./rules.ts";

/** The checks of the words of FROM. `globals` are the arguments that FROM sees. */
export function checkFroms(
  { stages, metaArgs, escapeToken }: Dockerfile,
  globals: ReadonlyMap<string, string>,
  predefined: ReadonlyMap<string, string>,
  report: Report,
): void {
  const declared = new Set([
    ...globals.keys(),
    ...metaArgs.flatMap(({ args }) => args.map(({ name }) => name)),
  ]);
  const defaults = new Map(predefined);
  for (const { args } of metaArgs) {
    for (const { name, value } of args) {
      const { text } = uses(value ?? "", defaults, escapeToken);
      if (value !== undefined) defaults.set(name, text);
    }
  }
  for (const stage of stages) {
    checkArguments(stage, declared, escapeToken, report);
    checkPlatform(stage, globals, escapeToken, report);
    checkDefault(stage, defaults, escapeToken, report);
  }
}

interface Uses {
  text: string;
  names: string[];
}

/** A word with its variables replaced, and the variables that it asks for without another way. */
function uses(word: string, values: ReadonlyMap<string, string>, escapeToken: string): Uses {
  const names: string[] = [];
  try {
    const text = expandWord(
      word,
      (name, mayLack) => {
        if (!mayLack) names.push(name);
        return values.get(name);
      },
      escapeToken,
    );
    return { text, names };
  } catch (error) {
    // The plan tells of it.
    if (error instanceof ExpansionError) return { text: word, names: [] };
    throw error;
  }
}

function checkArguments(
  { base, platform = "", location }: Stage,
  declared: ReadonlySet<string>,
  escapeToken: string,
  report: Report,
): void {
  for (const name of [base, platform].flatMap((word) => uses(word, new Map(), escapeToken).names)) {
    if (declared.has(name)) continue;
    const near = nearest(name, declared);
    const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
    report("UndefinedArgInFrom", location, `FROM argument '${name}' is not declared${hint}`);
  }
}

function checkPlatform(
  { platform, name, location }: Stage,
  globals: ReadonlyMap<string, string>,
  escapeToken: string,
  report: Report,
): void {
  if (platform === undefined) return;
  const { names } = uses(platform, globals, escapeToken);
  if (/^\$(TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform)) {
    report(
      "RedundantTargetPlatform",
      location,
      `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`,
    );
  }
  // A stage may be meant for one platform, and be called so.
  const isNamedSo = platform.split("/").some((part) => name?.includes(part.toLowerCase()));
  if (names.length === 0 && !platform.includes("$") && !isNamedSo) {
    report(
      "FromPlatformFlagConstDisallowed",
      location,
      `FROM --platform flag should not use constant value "${platform}"`,
    );
  }
}

function checkDefault(
  { base, location }: Stage,
  defaults: ReadonlyMap<string, string>,
  escapeToken: string,
  report: Report,
): void {
  if (!base.includes("$")) return;
  const { text, names } = uses(base, defaults, escapeToken);
  if (names.length === 0 && text === base) return;
  if (isReference(text)) return;
  report(
    "InvalidDefaultArgInFrom",
    location,
    `Default value for ARG ${base} results in empty or invalid base image name`,
  );
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof BerthError) return false;
    throw error;
  }
}
