import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { ImageContext } from "./context.ts";
import { sha256 } from "./document.ts";
import { renewFingerprint, sameFingerprint } from "./fingerprints.ts";
import type { Candidate } from "./layer-writer.ts";
import type { Layer, LayerStore } from "./layers.ts";
import type { CheckProblem, CheckReport } from "./types.ts";

/** See `Images.check`. */
export async function checkStore(
  context: ImageContext,
  options: { repair?: boolean } = {},
): Promise<CheckReport> {
  const repair = options.repair ?? false;
  const layers = context.layers.all();
  for (const layer of layers) context.layers.hold(layer);
  try {
    const problems = checkImages(context);
    let blobs = 0;
    for (const layer of layers) {
      const sound = new Set<string>();
      for (const { digest } of context.layers.packedForms(layer)) {
        blobs++;
        const problem = await checkBlob(context, digest, repair);
        if (problem) problems.push(problem);
        else sound.add(digest);
      }
      const problem = await checkLayer(context, layer, sound, repair);
      if (problem) problems.push(problem);
    }
    if (repair) await context.layers.sweep();
    return { images: context.records.all().length, layers: layers.length, blobs, problems };
  } finally {
    for (const layer of layers) context.layers.release(layer);
  }
}

/** Whether images' configurations are what their ids say, and their layers those that they name. */
function checkImages(context: ImageContext): CheckProblem[] {
  const problems: CheckProblem[] = [];
  for (const { id, document } of context.records.all()) {
    const bad = (message: string): void =>
      void problems.push({ kind: "image", id, message, repaired: false });
    const config = context.records.config(id);
    if (!config || sha256(config) !== id) bad("its configuration is not what its id says");
    const own = context.layers.of("image", id).map(({ diffId }) => diffId);
    if (own.join() !== document.rootfs.diff_ids.join())
      bad("its layers are not those that its configuration names");
  }
  return problems;
}

async function digestOf(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** The digest of what can be read, or why it cannot. */
async function digestOrReason(stream: () => Readable): Promise<string> {
  try {
    return await digestOf(stream());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function checkBlob(
  context: ImageContext,
  digest: string,
  repair: boolean,
): Promise<CheckProblem | null> {
  const actual = await digestOrReason(() => context.content.read(digest));
  if (actual === digest) return null;
  if (repair) {
    // The layer can be packed again; only the bits that it came in are gone.
    context.state.db.prepare("UPDATE packed_layers SET kept = 0 WHERE digest = ?").run(digest);
    await context.content.remove(digest);
  }
  return { kind: "blob", id: digest, message: `it is not what its digest says: ${actual}`, repaired: repair };
}

async function checkLayer(
  context: ImageContext,
  layer: Layer,
  sound: Set<string>,
  repair: boolean,
): Promise<CheckProblem | null> {
  const { layers, content, state } = context;
  const reason = await layers.verify(layer);
  const changed =
    reason ?? ((await sameFingerprint(state, layers, layer)) ? null : "owners, modes, times, attributes");
  if (changed === null) return null;
  const [packed] = sound;
  // Files whose contents are right make their own archive.
  const source =
    packed !== undefined ? () => content.read(packed) : reason === null ? () => layers.archive(layer) : null;
  const repaired = repair && source !== null && (await unpackAgain(context, layer, source()));
  const advice = source === null ? "; remove its images and pull or load them again" : "";
  const message = `its files are not what they were: ${changed}${advice}`;
  return { kind: "layer", id: layer.diffId, message, repaired };
}

async function unpackAgain(context: ImageContext, layer: Layer, source: Readable): Promise<boolean> {
  const { layers, state } = context;
  const candidate = await unpack(layers, source);
  if (candidate.unpacked.diffId !== layer.diffId) {
    await layers.discard(candidate);
    return false;
  }
  await layers.replace(layer, candidate);
  await renewFingerprint(state, layers, layer);
  return true;
}

async function unpack(layers: LayerStore, source: Readable): Promise<Candidate> {
  const writer = await layers.begin();
  try {
    for await (const chunk of source) if (!(await writer.write(chunk))) break;
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return writer.finish();
}
