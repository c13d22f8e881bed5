import { hostPlatform, parsePlatform } from "../image/platform.ts";
import { canonical, parseReference, withDefaultTag } from "../image/reference.ts";
import { BerthError, invalid } from "../lib/errors.ts";
import type { Checks } from "./checks/index.ts";
import { ExpansionError, expandWord, type Lookup } from "./dockerfile/expand.ts";
import type { Dockerfile, Instruction, Stage } from "./dockerfile/instruction.ts";
import { DockerfileError, type Location, parseError } from "./dockerfile/location.ts";
import type { BuildRequest } from "./types.ts";

export type StageBase = { stage: number } | { image: string } | { context: string } | "scratch";

/** A stage with its place in the graph. */
export interface PlannedStage {
  index: number;
  stage: Stage;
  /** Its name, or its place. */
  label: string;
  /** Where it begins: an earlier stage, an image, a context by its name, or nothing. */
  base: StageBase;
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
  /** Those that every build has. */
  predefined: ReadonlyMap<string, string>;
  /** The build arguments that some ARG asked for. */
  consumed: Set<string>;
}

/** Decides what is to be built. Throws DockerfileError, or INVALID_PARAMETER for a target that is not there. */
export function planBuild(dockerfile: Dockerfile, request: BuildRequest, checks?: Checks): Plan {
  const consumed = new Set<string>();
  const predefined = predefinedArguments(dockerfile, request);
  const globals = globalArguments(dockerfile, request, predefined, consumed);
  checks?.text(globals, predefined);
  const stages: PlannedStage[] = [];
  for (const [index, stage] of dockerfile.stages.entries()) {
    stages.push(planStage(stage, index, stages, { dockerfile, globals, request }));
  }
  const target = findTarget(stages, request.target);
  const needed = neededStages(stages, target);
  return { dockerfile, stages, target, needed, globals, predefined, consumed };
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

export function failedToProcess(location: Location, text: string, error: Error): DockerfileError {
  const shown = text.length > 1000 ? `${text.slice(0, 1000)}…` : text;
  return new DockerfileError(`failed to process ${JSON.stringify(shown)}: ${error.message}`, location);
}

function predefinedArguments({ stages }: Dockerfile, request: BuildRequest): Map<string, string> {
  const target = request.platform ? parsePlatform(request.platform) : hostPlatform;
  const platforms = [["TARGET", target] as const, ["BUILD", hostPlatform] as const].flatMap(
    ([prefix, { os, architecture, variant = "" }]): [string, string][] => [
      [`${prefix}PLATFORM`, [os, architecture, variant].filter(Boolean).join("/")],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ],
  );
  return new Map([...platforms, ["TARGETSTAGE", request.target || stages.at(-1)?.name || "default"]]);
}

function globalArguments(
  dockerfile: Dockerfile,
  request: BuildRequest,
  predefined: ReadonlyMap<string, string>,
  consumed: Set<string>,
): Map<string, string> {
  const globals = new Map(predefined);
  for (const { args, location } of dockerfile.metaArgs) {
    for (const { name, value } of args) {
      const given = request.buildArgs?.[name];
      if (request.buildArgs && Object.hasOwn(request.buildArgs, name)) consumed.add(name);
      // A default that is not used need not be one that can be replaced.
      const own =
        value === undefined || given !== undefined
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
  { dockerfile, globals, request }: Pick<Plan, "dockerfile" | "globals"> & { request: BuildRequest },
): PlannedStage {
  const { escapeToken } = dockerfile;
  const lookup: Lookup = (name) => globals.get(name);
  const name = expandAt(stage.location, stage.base, lookup, escapeToken);
  if (name === "") throw parseError(stage.location, `base name (${stage.base}) should not be blank`);
  const platform =
    (stage.platform && expandAt(stage.location, stage.platform, lookup, escapeToken)) || undefined;
  const label = stage.name ?? String(index);
  // A context of the stage's name takes its place.
  const own = stage.name === undefined ? undefined : contextName(request.contexts, stage.name);
  if (own !== undefined)
    return { index, stage: { ...stage, instructions: [] }, label, base: { context: own }, platform };
  return { index, stage, label, base: baseOf(name, earlier, request), platform };
}

function baseOf(name: string, earlier: readonly PlannedStage[], request: BuildRequest): StageBase {
  const context = contextName(request.contexts, name);
  if (context !== undefined) return { context };
  const found = findStage(earlier, name);
  return found ? { stage: found.index } : name === "scratch" ? "scratch" : { image: name };
}

/** What the context that a word names is called; an image may be written in several ways. */
export function contextName(contexts: BuildRequest["contexts"] = {}, word: string): string | undefined {
  if (Object.hasOwn(contexts, word)) return word;
  const wanted = canonicalName(word);
  return wanted === undefined
    ? undefined
    : Object.keys(contexts).find((name) => canonicalName(name) === wanted);
}

function canonicalName(text: string): string | undefined {
  try {
    return canonical(withDefaultTag(parseReference(text)));
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
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
  // Of several with a name the last one before, else one that comes later.
  const found =
    findStage(stages.slice(0, at), from) ??
    findStage(stages.slice(at), from) ??
    (/^\d+$/.test(from) ? stages[Number(from)] : undefined);
  if (found ? found.index === at : /^\d+$/.test(from)) {
    const reason = found ? "refers to current build stage" : "there is no such stage";
    throw new DockerfileError(`invalid from flag value ${from}: ${reason}`, location);
  }
  return found;
}

/** The `from` of a mount. */
function mountSource(mount: string, location: Location): string | undefined {
  const from = /(?:^|,)"?from=([^,"]+)/.exec(mount)?.[1];
  if (from?.includes("$"))
    throw new DockerfileError(
      "'from' doesn't support variable expansion, define alias stage instead",
      location,
    );
  return from;
}

/** What an instruction reads of other stages or images. */
export function sourcesOf(instruction: Instruction): string[] {
  if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== "run") return [];
  return instruction.mounts.flatMap((mount) => mountSource(mount, instruction.location) ?? []);
}

function neededStages(stages: readonly PlannedStage[], target: number): number[] {
  const needed = new Set<number>();
  const open: number[] = [];
  const visit = (index: number, location: Location): void => {
    const planned = stages[index];
    if (!planned) return;
    if (open.includes(index)) {
      const way = [...open.slice(open.indexOf(index)), index].map((place) => stages[place]?.label);
      throw new DockerfileError(
        `circular dependency detected on stage: ${planned.label} (${way.join(" -> ")})`,
        location,
      );
    }
    if (needed.has(index)) return;
    needed.add(index);
    open.push(index);
    const { base, stage } = planned;
    if (typeof base === "object" && "stage" in base) visit(base.stage, stage.location);
    for (const instruction of stage.instructions) {
      for (const from of sourcesOf(instruction)) {
        const source = sourceStage(stages, from, index, instruction.location);
        if (source) visit(source.index, instruction.location);
      }
    }
    open.pop();
  };
  visit(target, { line: 1, column: 1 });
  return [...needed].sort((a, b) => a - b);
}
