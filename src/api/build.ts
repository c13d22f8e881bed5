import type { Readable } from "node:stream";
import { buildFrame, buildFramesType, lineChannel, outputChannel } from "../lib/build-frames.ts";
import { eventView } from "./build-events.ts";
import { buildOptions } from "./build-options.ts";
import { classicView, shortId } from "./build-view.ts";
import { type Context, drained } from "./context.ts";
import { ProgressStream } from "./progress.ts";
import type { Route } from "./router.ts";

async function build(context: Context): Promise<void> {
  const options = buildOptions(context.query, context.request.headers);
  const framed = options.outputs?.some(({ kind }) => kind !== "image") ?? false;
  const progress = framed ? new FramedProgress(context) : new ProgressStream(context);
  const quiet = context.query.flag("q");
  const events = context.query.flag("events");
  const send = quiet ? () => undefined : (line: object) => progress.send(line);
  const view = events ? eventView(send) : classicView(send);
  await progress.run(async () => {
    const request = {
      ...options,
      ...(progress instanceof FramedProgress ? { deliver: progress.deliver } : {}),
      onEvent: view.onEvent,
      signal: context.signal,
    };
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

/** Lines, and between them the archives that the client asked for; `src/lib/build-frames.ts` tells how. */
class FramedProgress extends ProgressStream {
  readonly #client: Context;

  constructor(context: Context) {
    super(context, buildFramesType);
    this.#client = context;
  }

  protected override write(line: Buffer): void {
    this.#client.response.write(Buffer.concat([buildFrame(lineChannel, line.length), line]));
  }

  readonly deliver = async (output: number, archive: Readable): Promise<void> => {
    const { response, signal } = this.#client;
    const channel = outputChannel(output);
    for await (const chunk of archive) {
      signal.throwIfAborted();
      response.cork();
      response.write(buildFrame(channel, chunk.length));
      const more = response.write(chunk);
      response.uncork();
      if (!more) await drained(response);
    }
    response.write(buildFrame(channel, 0));
  };
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
