import { eventView } from "./build-events.ts";
import { buildOptions } from "./build-options.ts";
import { classicView, shortId } from "./build-view.ts";
import type { Context } from "./context.ts";
import { ProgressStream } from "./progress.ts";
import type { Route } from "./router.ts";

async function build(context: Context): Promise<void> {
  const options = buildOptions(context.query, context.request.headers);
  const progress = new ProgressStream(context);
  const quiet = context.query.flag("q");
  const events = context.query.flag("events");
  const send = quiet ? () => undefined : (line: object) => progress.send(line);
  const view = events ? eventView(send) : classicView(send);
  await progress.run(async () => {
    const request = { ...options, onEvent: view.onEvent, signal: context.signal };
    const { imageId, names } = await context.services.builds
      .buildArchive(context.request, request)
      .finally(() => view.flush());
    if (quiet) progress.send({ stream: `${imageId}\n` });
    else if (!events) {
      progress.send({ stream: `Successfully built ${shortId(imageId)}\n` });
      for (const name of names) progress.send({ stream: `Successfully tagged ${name}\n` });
    }
  });
}

async function prune(context: Context): Promise<void> {
  const { query, version } = context;
  const { deleted, reclaimed } = await context.services.builds.prune({
    all: query.flag("all"),
    keep: query.integer(version < 48 ? "keep-storage" : "reserved-space"),
    filters: query.filters(),
  });
  context.json(200, { CachesDeleted: deleted, SpaceReclaimed: reclaimed });
}

/** Building images. */
export const buildRoutes: Route[] = [
  { method: "POST", path: "/build", handle: build },
  { method: "POST", path: "/build/prune", handle: prune },
];
