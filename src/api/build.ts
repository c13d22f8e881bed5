import type { Readable } from "node:stream";
import { ContextChangedError } from "../build/context/changed.ts";
import type { BuildOutput } from "../build/outputs/output.ts";
import type { ContextOrigin, LocalDirectory, OriginBuildRequest } from "../build/types.ts";
import { buildFrame, buildFramesType, lineChannel, outputChannel } from "../lib/build-frames.ts";
import { invalid } from "../lib/errors.ts";
import { agentsOf, offerAgent } from "./build-agents.ts";
import { eventView } from "./build-events.ts";
import { buildOptions } from "./build-options.ts";
import { classicView, shortId } from "./build-view.ts";
import { type Context, drained } from "./context.ts";
import { ProgressStream } from "./progress.ts";
import type { Route } from "./router.ts";

async function build(context: Context): Promise<void> {
  const { query, services } = context;
  const options = buildOptions(query, context.request.headers, services.experimental);
  const framed = options.outputs?.some(isSent) ?? false;
  const progress = framed ? new FramedProgress(context) : new ProgressStream(context);
  const quiet = query.flag("q");
  const events = query.flag("events");
  const held = new HeldLines();
  const send = quiet ? (line: object) => held.add(line) : (line: object) => progress.send(line);
  const view = events ? eventView(send) : classicView(send);
  const remote = query.text("remote");
  const request: OriginBuildRequest = {
    ...options,
    ...(progress instanceof FramedProgress ? { deliver: progress.deliver } : {}),
    onEvent: view.onEvent,
    signal: context.signal,
    ssh: agentsOf(query.text("agents")),
  };
  await progress.run(async () => {
    const local = query.flag("local") ? localDirectory(await context.requiredBody()) : undefined;
    if (local) request.dockerfile = local.dockerfile;
    const origin: ContextOrigin = local
      ? { local: local.directory }
      : remote === undefined
        ? { tar: context.request }
        : { remote };
    if (query.flag("check")) {
      const warnings = await services.builds.checkFrom(origin, request).catch(view.explain);
      progress.send({ check: { warnings: warnings.length } });
      return;
    }
    const { imageId, names } = await services.builds
      .buildFrom(origin, request)
      .catch((error: unknown) => {
        // The client may send all of it instead.
        if (events && error instanceof ContextChangedError) progress.send({ build: { kind: "changed" } });
        throw error;
      })
      .finally(() => view.flush())
      .catch((error: unknown) => {
        // Who wants to hear nothing of a build wants to hear why it failed.
        for (const line of held.lines) progress.send(line);
        return view.explain(error);
      });
    if (quiet) progress.send({ stream: `${imageId}\n` });
    else if (!events) {
      progress.send({ stream: `Successfully built ${shortId(imageId)}\n` });
      for (const name of names) progress.send({ stream: `Successfully tagged ${name}\n` });
    }
  });
}

/** The last lines of what nobody wants to hear as long as all is well. */
class HeldLines {
  readonly lines: object[] = [];

  add(line: object): void {
    this.lines.push(line);
    if (this.lines.length > 2 * maxHeld) this.lines.splice(0, maxHeld);
  }
}

const maxHeld = 10_000;

/** The body of POST /build?local=1, which Docker does not have: a directory of this machine. */
function localDirectory(body: unknown): { directory: LocalDirectory; dockerfile: string } {
  const values = new Map(Object.entries(typeof body === "object" && body !== null ? body : {}));
  const text = (name: string): string => {
    const value: unknown = values.get(name);
    if (typeof value !== "string") throw invalid(`${name} is not a text`);
    return value;
  };
  const dockerfile = text("dockerfile");
  if (dockerfile.length === 0) throw invalid("The Dockerfile cannot be empty");
  const directory = {
    path: text("path"),
    device: text("device"),
    inode: text("inode"),
    rules: text("rules"),
  };
  if (!directory.path.startsWith("/")) throw invalid("path is not absolute");
  return { directory, dockerfile };
}

/** Whether an output comes to the client. */
const isSent = (output: BuildOutput): boolean =>
  output.kind === "cache" ? output.to === "archive" : output.kind !== "image";

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
      // In one piece: a corked answer in chunks does not tell when it has room again.
      const more = response.write(Buffer.concat([buildFrame(channel, chunk.length), chunk]));
      if (!more) await drained(response);
    }
    response.write(buildFrame(channel, 0));
  };
}

async function prune(context: Context): Promise<void> {
  const { query } = context;
  const { deleted, reclaimed } = await context.services.builds.prune({
    all: query.flag("all"),
    // Docker's client says 0 when it is not asked to keep anything.
    keep: query.integer("reserved-space") || query.integer("keep-storage") || undefined,
    most: query.integer("max-used-space") || undefined,
    free: query.integer("min-free-space") || undefined,
    filters: query.filters(),
  });
  context.json(200, { CachesDeleted: deleted, SpaceReclaimed: reclaimed });
}

/** Building images. */
export const buildRoutes: Route[] = [
  { method: "POST", path: "/build", handle: build },
  { method: "POST", path: "/build/agent", handle: offerAgent, upgrade: true },
  { method: "POST", path: "/build/prune", handle: prune },
];
