import { system } from "../lib/errors.ts";
import { tarWork } from "../lib/tar-work.ts";
import type { State } from "../state/index.ts";
import type { Layer, LayerStore } from "./layers.ts";

/** How many layers one run of the program looks at. */
const batch = 100;

/** What the files of layers are like but for their contents, as a digest each (native/tar/fingerprint.c). */
async function fingerprintsOf(layers: LayerStore, wanted: readonly Layer[]): Promise<string[]> {
  const answer: unknown = JSON.parse(
    await tarWork(["fingerprint", ...wanted.map(({ id }) => layers.directory(id))]),
  );
  if (!Array.isArray(answer) || !answer.every((value) => typeof value === "string"))
    throw system("berth-tar gave no fingerprints");
  return answer;
}

function record(state: State, layer: Layer, fingerprint: string): void {
  state.statement("UPDATE layers SET fingerprint = ? WHERE id = ?").run(fingerprint, layer.id);
}

/**
 * Notes the fingerprints of all layers that have none yet. They are not held, so that nobody's removal misses
 * them meanwhile: what is gone or going has no fingerprint.
 */
export async function recordFingerprints(state: State, layers: LayerStore): Promise<void> {
  for (let last = 0; state.db.isOpen; ) {
    const wanted = layers.withoutFingerprint(last, batch);
    last = wanted.at(-1)?.id ?? 0;
    if (last === 0) return;
    const found = await fingerprintsOf(layers, wanted);
    if (!state.db.isOpen) return;
    for (const [index, layer] of wanted.entries()) if (found[index]) record(state, layer, found[index]);
  }
}

/** Whether a layer's files are like they were. Of one without a fingerprint that is noted now. */
export async function sameFingerprint(state: State, layers: LayerStore, layer: Layer): Promise<boolean> {
  const row = state.statement("SELECT fingerprint FROM layers WHERE id = ?").get(layer.id);
  const [actual = ""] = await fingerprintsOf(layers, [layer]);
  if (typeof row?.fingerprint === "string") return row.fingerprint === actual;
  if (actual !== "") record(state, layer, actual);
  return true;
}

/** Notes the fingerprint of a layer that was unpacked again. */
export async function renewFingerprint(state: State, layers: LayerStore, layer: Layer): Promise<void> {
  const [actual = ""] = await fingerprintsOf(layers, [layer]);
  record(state, layer, actual);
}
