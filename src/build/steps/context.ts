import { copyFiles } from "../context/files.ts";
import { identityOf } from "../context/identity.ts";
import type { SourceFiles } from "../context/source.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { layerStep } from "./outcome.ts";

/** A stage that stands on the files of a context: they are its first layer. */
export async function contextStep(context: StepContext, source: SourceFiles): StepResult {
  const { session, info } = context;
  const [match] = await source.match("/");
  const files = match && identityOf(match.tree, "/", true);
  return layerStep(
    context,
    { kind: "context", createdBy: info.text, inputs: { files } },
    async (directory) => {
      const orders = [...source.ignored.map((path) => ["x", path, ""] as const), ["d", "/", "/"] as const];
      const lower = session.images.directories([]);
      await copyFiles(session.files, { lower, directory, source: source.files, orders });
    },
  );
}
