import { parseBody } from "./body.ts";
import { readFlags } from "./flags.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import { type Location, parseError } from "./location.ts";
import { readStatements, type Statement, wordPlace } from "./statements.ts";
import { blankWords } from "./words.ts";

/** More than anybody has; a chain of them is followed step by step. */
const maxStages = 1000;

const stageName = /^[a-z][a-z0-9-_.]*$/;

/** Parses a Dockerfile. Throws DockerfileError with dockerd's words for the first thing that is wrong. */
export function parseDockerfile(text: string): Dockerfile {
  const { directives, statements } = readStatements(text);
  const { escapeToken } = directives;
  const dockerfile: Dockerfile = { escapeToken, directives, statements, metaArgs: [], stages: [] };
  for (const statement of statements) {
    if (statement.keyword === "FROM") {
      if (dockerfile.stages.length >= maxStages)
        throw parseError(statement.location, `more than ${maxStages} build stages`);
      dockerfile.stages.push(parseFrom(statement));
      continue;
    }
    const instruction = parseInstruction(statement, escapeToken);
    const stage = dockerfile.stages.at(-1);
    if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") dockerfile.metaArgs.push(instruction);
    else throw parseError(statement.location, "no build stage in current context");
  }
  if (dockerfile.stages.length === 0) {
    throw parseError(
      statements.at(-1)?.location ?? { line: 1, column: 1 },
      "no build stage in current context",
    );
  }
  return dockerfile;
}

/** An instruction that an image has kept for builds upon it (ONBUILD). */
export function parseTrigger(text: string, location: Location): Instruction {
  const [statement] = readStatements(text).statements;
  if (!statement) throw parseError(location, "file with no instructions");
  return parseInstruction({ ...statement, location }, "\\");
}

function parseInstruction(statement: Statement, escapeToken: string): Instruction {
  const { location, original } = statement;
  return { ...parseBody(statement, escapeToken), location, original };
}

function parseFrom(statement: Statement): Stage {
  const { location, original, rest } = statement;
  const flags = readFlags(statement, { platform: "text" });
  const words = blankWords(rest);
  const [base = "", as = "", name] = words;
  if (words.length !== 1 && !(words.length === 3 && as.toLowerCase() === "as")) {
    throw parseError(location, "FROM requires either one or three arguments");
  }
  const stage: Stage = { location, original, base, instructions: [], platform: flags.text("platform") };
  if (name === undefined) return stage;
  stage.name = name.toLowerCase();
  stage.writtenName = name;
  if (!stageName.test(stage.name)) {
    throw parseError(
      location,
      `invalid name for build stage: "${name}", name can't start with a number or contain symbols`,
      wordPlace(statement, name),
    );
  }
  return stage;
}
