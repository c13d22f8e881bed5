import { hostPlatform, parsePlatform } from "../image/platform.ts";
import { invalid } from "../lib/errors.ts";
import { ExpansionError, expandWord, type Lookup } from "./dockerfile/expand.ts";
import type { Dockerfile, Instruction, Stage } from "./dockerfile/instruction.ts";
import { DockerfileError, type Location, parseError } from "./dockerfile/location.ts";
import type { BuildRequest } from "./types.ts";

/** A stage with its place in the graph. */
export interface PlannedStage {
  index: number;
  stage: Stage;
  /** Its name, or its place. */
  label: string;
  /** Where it begins: an earlier stage, or a name of an image or context, or nothing. */
  base: { stage: number } | { image: string } | "scratch";
  platform: string | undefined;
}

export interface Plan {
  dockerfile: Dockerfile;
  stages: PlannedStage[];
  target: number;
  /** The stages that the target needs, itself included, in the order of the Dockerfile. */
  needed: number[];
  /** The arguments before the first FROM and those that every build has. */
  globals: ReadonlyMap<string, string>;
  /** The build arguments that some ARG asked for. */
  consumed: Set<string>;
}

/** Decides what is to be built. Throws DockerfileError, or INVALID_PARAMETER for a target that is not there. */
export function planBuild(dockerfile: Dockerfile, request: BuildRequest): Plan {
  const consumed = new Set<string>();
  const globals = globalArguments(dockerfile, request, consumed);
  const stages: PlannedStage[] = [];
  for (const [index, stage] of dockerfile.stages.entries()) {
    stages.push(planStage(stage, index, stages, dockerfile.escapeToken, globals));
  }
  const target = findTarget(stages, request.target);
  return { dockerfile, stages, target, needed: neededStages(stages, target), globals, consumed };
}

/** Replaces variables; what cannot be replaced is an error of the instruction. */
export function expandAt(location: Location, text: string, lookup: Lookup, escapeToken: string): string {
  try {
    return expandWord(text, lookup, escapeToken);
  } catch (error) {
    if (error instanceof ExpansionError) throw failedToProcess(location, text, error);
    throw error;
  }
}

export const failedToProcess = (location: Location, text: string, error: Error): DockerfileError =>
  new DockerfileError(`failed to process ${JSON.stringify(text)}: ${error.message}`, location);

function globalArguments(
  dockerfile: Dockerfile,
  request: BuildRequest,
  consumed: Set<string>,
): Map<string, string> {
  const target = request.platform ? parsePlatform(request.platform) : hostPlatform;
  const globals = new Map(
    [["TARGET", target] as const, ["BUILD", hostPlatform] as const].flatMap(
      ([prefix, { os, architecture, variant = "" }]): [string, string][] => [
        [`${prefix}PLATFORM`, [os, architecture, variant].filter(Boolean).join("/")],
        [`${prefix}OS`, os],
        [`${prefix}ARCH`, architecture],
        [`${prefix}VARIANT`, variant],
      ],
    ),
  );
  for (const { args, location } of dockerfile.metaArgs) {
    for (const { name, value } of args) {
      const given = request.buildArgs?.[name];
      if (given !== undefined) consumed.add(name);
      const own =
        value === undefined
          ? undefined
          : expandAt(location, value, (key) => globals.get(key), dockerfile.escapeToken);
      const set = given ?? own;
      if (set !== undefined) globals.set(name, set);
    }
  }
  return globals;
}

function planStage(
  stage: Stage,
  index: number,
  earlier: readonly PlannedStage[],
  escapeToken: string,
  globals: ReadonlyMap<string, string>,
): PlannedStage {
  const lookup: Lookup = (name) => globals.get(name);
  const name = expandAt(stage.location, stage.base, lookup, escapeToken);
  if (name === "") throw parseError(stage.location, `base name (${stage.base}) should not be blank`);
  const platform = stage.platform && expandAt(stage.location, stage.platform, lookup, escapeToken);
  const found = findStage(earlier, name);
  return {
    index,
    stage,
    label: stage.name ?? String(index),
    base: found ? { stage: found.index } : name === "scratch" ? "scratch" : { image: name },
    platform: platform || undefined,
  };
}

/** The stage of a name; of several the last. */
export function findStage(stages: readonly PlannedStage[], name: string): PlannedStage | undefined {
  return stages.findLast(({ stage }) => stage.name === name.toLowerCase());
}

function findTarget(stages: readonly PlannedStage[], target = ""): number {
  if (target === "") return stages.length - 1;
  const found = findStage(stages, target) ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined);
  if (!found) throw invalid(`target stage "${target}" could not be found`);
  return found.index;
}

/** The stage that a `--from` or `from=` means, seen from a stage; undefined when it is something else. */
export function sourceStage(
  stages: readonly PlannedStage[],
  from: string,
  at: number,
  location: Location,
): PlannedStage | undefined {
  const earlier = stages.slice(0, at);
  const named = findStage(earlier, from);
  if (named) return named;
  if (/^\d+$/.test(from)) {
    const numbered = earlier[Number(from)];
    if (!numbered)
      throw new DockerfileError(`invalid from flag value ${from}: refers to current build stage`, location);
    return numbered;
  }
  if (findStage(stages.slice(at, at + 1), from))
    throw new DockerfileError(`invalid from flag value ${from}: refers to current build stage`, location);
  return undefined;
}

/** What an instruction reads of other stages or images. */
export function sourcesOf(instruction: Instruction): string[] {
  if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== "run") return [];
  return instruction.mounts.flatMap((mount) => /(?:^|,)from=([^,]+)/.exec(mount)?.[1] ?? []);
}

function neededStages(stages: readonly PlannedStage[], target: number): number[] {
  const needed = new Set<number>();
  const visit = (index: number): void => {
    const planned = stages[index];
    if (!planned || needed.has(index)) return;
    needed.add(index);
    const { base, stage } = planned;
    if (base !== "scratch" && "stage" in base) visit(base.stage);
    for (const instruction of stage.instructions) {
      for (const from of sourcesOf(instruction)) {
        const source = sourceStage(stages, from, index, instruction.location);
        if (source) visit(source.index);
      }
    }
  };
  visit(target);
  return [...needed].sort((a, b) => a - b);
}
