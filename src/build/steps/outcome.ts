import { invalid } from "../../lib/errors.ts";
import type { Outcome } from "../cache.ts";
import { sealWith } from "../context/files.ts";
import { keyOf } from "../key.ts";
import type { StepContext, StepResult } from "../stage-build.ts";

/** What a step depends on, beside the files and the configuration that are there. */
export interface StepWork {
  kind: string;
  /** As the image's history tells it. */
  createdBy: string;
  /** All that decides what comes out. */
  inputs: unknown;
  /** Whether the files below matter: not for COPY --link. */
  standsAlone?: boolean;
}

/** A step that only changes the configuration, which has happened already. */
export async function configurationStep(context: StepContext, kind: string, createdBy: string): StepResult {
  const { session, state } = context;
  const key = keyOf(kind, createdBy, session.images.chainId(state.layers), state.config, state.created);
  const found = session.request.noCache
    ? undefined
    : (session.cache.find(key) ?? (await session.further(key)));
  const outcome: Outcome = found ?? { layer: null, created: new Date().toISOString() };
  if (!found) session.cache.keep(key, kind, createdBy, outcome);
  session.record({ key, kind, description: createdBy, ...outcome, stage: context.stage });
  state.add(null, createdBy, outcome.created);
  return { cached: found !== undefined };
}

/** A step that makes a layer, in a directory with `fs` and `work`, unless it is known already. */
export async function layerStep(
  context: StepContext,
  work: StepWork,
  make: (directory: string) => Promise<void>,
): StepResult {
  const { session, state } = context;
  const { kind, createdBy, inputs } = work;
  const below = work.standsAlone ? "" : session.images.chainId(state.layers);
  const key = keyOf(kind, below, inputs);
  // What this very build has made for another platform is as fresh as can be.
  const fresh = session.request.noCache === true && !session.made.has(key);
  const { outcome, cached } = await session.cache.once(key, {
    fresh,
    signal: session.signal,
    further: session.further,
    async make() {
      const made = await makeLayer(context, make);
      session.cache.keep(key, kind, createdBy, made);
      return made;
    },
  });
  session.made.add(key);
  session.record({ key, kind, description: createdBy, ...outcome, stage: context.stage });
  if (outcome.layer) session.keep(outcome.layer);
  state.add(outcome.layer, createdBy, outcome.created);
  return { cached };
}

/** As many layers as overlayfs stacks, with the one that is written to and that of the engine's own. */
const maxDepth = 498;

async function makeLayer(
  { session, state }: StepContext,
  make: (directory: string) => Promise<void>,
): Promise<Outcome> {
  session.signal.throwIfAborted();
  if (state.layers.length >= maxDepth)
    throw invalid(`max depth exceeded: the image would have more than ${maxDepth} layers`);
  const directory = await session.images.beginDirectory();
  try {
    await make(directory);
    session.signal.throwIfAborted();
    return {
      layer: await session.images.seal(directory, sealWith(session.files)),
      created: new Date().toISOString(),
    };
  } catch (error) {
    await session.images.discard(directory);
    throw error;
  }
}
