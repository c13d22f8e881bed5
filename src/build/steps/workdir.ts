import { copyFiles } from "../context/files.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { expandAt } from "../plan.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { layerStep } from "./outcome.ts";

/** WORKDIR: the directory is made when it is missing. */
export async function workdirStep(
  context: StepContext,
  { location, value }: Instruction & { kind: "workdir" },
): StepResult {
  const { session, state } = context;
  const path = state.absolute(expandAt(location, value, state.lookup, session.plan.dockerfile.escapeToken));
  state.config.WorkingDir = path;
  return layerStep(
    context,
    { kind: "workdir", createdBy: `WORKDIR ${path}`, inputs: { path } },
    async (directory) => {
      const lower = session.images.directories(state.layers);
      const source = { layers: session.images.directories([]) };
      await copyFiles(session.files, { lower, directory, source, orders: [["m", "", path]] });
    },
  );
}
