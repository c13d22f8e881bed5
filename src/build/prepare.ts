import type { ImageBuilding } from "../image/building.ts";
import { BerthError } from "../lib/errors.ts";
import { Checks } from "./checks/index.ts";
import type { Warning } from "./checks/rules.ts";
import { DockerfileError, errorLocation, excerpt } from "./dockerfile/location.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { type Plan, planBuild, type StageBase } from "./plan.ts";
import type { BuildRequest } from "./types.ts";

export interface PreparedBuild {
  plan: Plan;
  checks: Checks;
}

/** Reads the Dockerfile and plans the build; its checks are done but for those of variables. */
export function prepareBuild(request: BuildRequest): PreparedBuild {
  const { buildArgs = {}, context, onEvent } = request;
  const dockerfile = parseDockerfile(request.dockerfile);
  const checks = new Checks(dockerfile, buildArgs.BUILDKIT_DOCKERFILE_CHECK, (warning) =>
    onEvent?.({ kind: "warning", warning }),
  );
  const plan = planBuild(dockerfile, request, checks);
  for (const { instructions } of dockerfile.stages) checks.ignored(instructions, context.patterns ?? []);
  return { plan, checks };
}

/** Does all the checks of a Dockerfile, without building it. */
export function checkBuild(images: ImageBuilding, request: BuildRequest): readonly Warning[] {
  const { plan, checks } = prepareBuild(request);
  const known = new Map<number, Set<string> | undefined>();
  for (const { index, base, stage } of plan.stages) {
    const below =
      typeof base === "object" && "stage" in base ? known.get(base.stage) : variablesOf(images, base);
    known.set(index, below && checks.variables(stage.instructions, below));
  }
  return checks.warnings;
}

/** The variables that a base has; undefined when that is not known here. */
function variablesOf(images: ImageBuilding, base: StageBase): Set<string> | undefined {
  const names = new Set(["PATH"]);
  if (typeof base !== "object" || !("image" in base)) return names;
  try {
    const { document, layers } = images.base(base.image);
    for (const layer of layers) images.release(layer);
    for (const entry of document.config?.Env ?? []) names.add(entry.split("=", 1)[0] ?? "");
    return names;
  } catch (error) {
    if (error instanceof BerthError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** Does work; where in the Dockerfile it failed is told before it is thrown. */
export async function showingPlace<T>(
  { onEvent, dockerfile, dockerfileName = "Dockerfile" }: BuildRequest,
  work: () => Promise<T> | T,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const location = errorLocation(error);
    if (location) {
      const isSyntax = error instanceof DockerfileError;
      onEvent?.({ kind: "failure", isSyntax, excerpt: excerpt(dockerfileName, dockerfile, location) });
    }
    throw error;
  }
}
