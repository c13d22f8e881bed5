import type { BuildEvent, BuildRequest, StepInfo } from "../build/types.ts";
import { buildOptions } from "./build-options.ts";
import type { Context } from "./context.ts";
import { ProgressStream } from "./progress.ts";
import type { Route } from "./router.ts";

async function build(context: Context): Promise<void> {
  const options = buildOptions(context.query, context.request.headers);
  const progress = new ProgressStream(context);
  const quiet = context.query.flag("q");
  const view = classicView(quiet ? () => undefined : (line) => progress.send(line));
  await progress.run(async () => {
    const request = { ...options, onEvent: view, signal: context.signal };
    const { imageId, names } = await context.services.builds.buildArchive(context.request, request);
    if (quiet) progress.send({ stream: `${imageId}\n` });
    else {
      progress.send({ stream: `Successfully built ${short(imageId)}\n` });
      for (const name of names) progress.send({ stream: `Successfully tagged ${name}\n` });
    }
  });
}

const short = (id: string): string => id.replace(/^sha256:/, "").slice(0, 12);

/** Tells of a build in the words of Docker's classic builder. */
function classicView(send: (line: object) => void): NonNullable<BuildRequest["onEvent"]> {
  let total = 0;
  const containers = new Map<StepInfo, string>();
  const show = (stream: string): void => send({ stream });
  return (event: BuildEvent) => {
    switch (event.kind) {
      case "plan":
        total = event.steps.length;
        break;
      case "warning":
        show(
          `[Warning] ${event.warning.rule}: ${event.warning.message} (line ${event.warning.location.line})\n`,
        );
        break;
      case "begin":
        show(`Step ${event.step.number}/${total} : ${event.step.text}\n`);
        break;
      case "container":
        containers.set(event.step, event.id);
        show(` ---> Running in ${short(event.id)}\n`);
        break;
      case "output":
        show(event.data.toString("utf8"));
        break;
      case "pull":
        send(event.progress);
        break;
      case "end": {
        const container = containers.get(event.step);
        if (container) show(` ---> Removed intermediate container ${short(container)}\n`);
        if (event.cached) show(" ---> Using cache\n");
        if (event.result) show(` ---> ${short(event.result)}\n`);
        break;
      }
      case "image":
        send({ aux: { ID: event.id } });
        break;
    }
  };
}

/** Building images. */
export const buildRoutes: Route[] = [{ method: "POST", path: "/build", handle: build }];
