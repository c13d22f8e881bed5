import { nearest } from "../../lib/nearest.ts";
import { ExpansionError, expandWord } from "../dockerfile/expand.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import type { Report } from "./rules.ts";

const secretWord =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const publicWord = /(?:_|^)public(?:_|$)/i;

/** Names that are used without being declared, and mean nothing to the checks. */
const always = new Set(["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]);

/** ARG and ENV end in the image: a secret is to be mounted instead. */
export function checkSecrets(instructions: readonly Instruction[], report: Report): void {
  for (const { kind, location, ...body } of instructions) {
    const names =
      "args" in body
        ? body.args.map(({ name }) => name)
        : kind === "env" && "pairs" in body
          ? body.pairs.map(([name]) => name)
          : [];
    for (const name of names) {
      if (!secretWord.test(name) || publicWord.test(name)) continue;
      report(
        "SecretsUsedInArgOrEnv",
        location,
        `Do not use ARG or ENV instructions for sensitive data (${kind.toUpperCase()} "${name}")`,
      );
    }
  }
}

/**
 * Checks that instructions use only variables that exist. `known` has those of the base, and gets those of
 * the stage.
 */
export function checkVariables(
  instructions: readonly Instruction[],
  known: Set<string>,
  escapeToken: string,
  report: Report,
): void {
  for (const instruction of instructions) {
    const missing = new Set<string>();
    const declared = declaredBy(instruction);
    for (const word of wordsOf(instruction)) {
      for (const name of namesIn(word, escapeToken)) {
        // An ARG sees those before it in the same line.
        const isOwn = instruction.kind === "arg" && declared.includes(name);
        if (!known.has(name) && !isOwn && !always.has(name.toUpperCase())) missing.add(name);
      }
    }
    for (const name of missing) {
      const near = nearest(name, known);
      const hint = near === undefined ? "" : ` (did you mean $${near}?)`;
      report("UndefinedVar", instruction.location, `Usage of undefined variable '$${name}'${hint}`);
    }
    for (const name of declared) known.add(name);
  }
}

function namesIn(word: string, escapeToken: string): string[] {
  const names: string[] = [];
  try {
    expandWord(
      word,
      (name, mayLack) => {
        if (!mayLack) names.push(name);
        return undefined;
      },
      escapeToken,
    );
  } catch (error) {
    // What cannot be replaced is told of when it is.
    if (!(error instanceof ExpansionError)) throw error;
  }
  return names;
}

function declaredBy(instruction: Instruction): string[] {
  if (instruction.kind === "arg") return instruction.args.map(({ name }) => name);
  if (instruction.kind === "env") return instruction.pairs.map(([name]) => name);
  return [];
}

/** The words in which variables are replaced. */
function wordsOf(instruction: Instruction): string[] {
  switch (instruction.kind) {
    case "arg":
      return instruction.args.flatMap(({ value }) => value ?? []);
    case "env":
    case "label":
      return instruction.pairs.flat();
    case "copy":
    case "add":
      return [
        ...instruction.sources.filter((word) => !word.startsWith("<<")),
        instruction.destination,
        instruction.chown ?? "",
        instruction.chmod ?? "",
        ...instruction.exclude,
      ];
    case "expose":
      return instruction.ports;
    case "volume":
      return instruction.paths;
    case "user":
    case "workdir":
    case "stopsignal":
      return [instruction.value];
    default:
      return [];
  }
}
