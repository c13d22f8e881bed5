import { invalid } from "../../lib/errors.ts";
import { FileWorkError } from "../../lib/file-worker.ts";
import { copyFiles } from "../context/files.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { DockerfileError } from "../dockerfile/location.ts";
import { expandAt } from "../plan.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { layerStep } from "./outcome.ts";

/** WORKDIR: the directory is made when it is missing. */
export async function workdirStep(
  context: StepContext,
  { location, value }: Instruction & { kind: "workdir" },
): StepResult {
  const { session, state } = context;
  const written = expandAt(location, value, state.lookup, session.plan.dockerfile.escapeToken);
  if (written === "") throw new DockerfileError("cannot normalize nothing", location);
  const path = state.absolute(written);
  state.config.WorkingDir = path;
  return layerStep(
    context,
    { kind: "workdir", createdBy: `WORKDIR ${path}`, inputs: { path } },
    async (directory) => {
      const lower = session.images.directories(state.layers);
      const source = { layers: session.images.directories([]) };
      try {
        await copyFiles(session.files, { lower, directory, source, orders: [["m", "", path]] });
      } catch (error) {
        if (!(error instanceof FileWorkError) || error.code !== "ENOTDIR") throw error;
        throw invalid(`Cannot mkdir: ${path} is not a directory`, error);
      }
    },
  );
}
