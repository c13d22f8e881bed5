import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { ImageContext } from "./context.ts";
import { sha256 } from "./document.ts";
import type { Layer } from "./layers.ts";
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
  const reason = await context.layers.verify(layer);
  if (reason === null) return null;
  const [source] = sound;
  const repaired = repair && source !== undefined && (await unpackAgain(context, layer, source));
  return {
    kind: "layer",
    id: layer.diffId,
    message: `its files are not what they were: ${reason}`,
    repaired,
  };
}

async function unpackAgain(context: ImageContext, layer: Layer, source: string): Promise<boolean> {
  const writer = await context.layers.begin();
  for await (const chunk of context.content.read(source)) await writer.write(chunk);
  const candidate = await writer.finish();
  if (candidate.unpacked.diffId !== layer.diffId) {
    await context.layers.discard(candidate);
    return false;
  }
  await context.layers.replace(layer, candidate);
  return true;
}
