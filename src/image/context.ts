import type { State } from "../state/index.ts";
import type { ContentStore } from "./content.ts";
import type { ExtrasStore } from "./extras.ts";
import type { LayerStore } from "./layers.ts";
import type { ImageRecords } from "./records.ts";
import type { ImageEvent, ImageUser } from "./types.ts";

/** What the operations on images share. */
export interface ImageContext {
  state: State;
  content: ContentStore;
  layers: LayerStore;
  records: ImageRecords;
  extras: ExtrasStore;
  /** The containers and what they were made from. */
  users: () => ImageUser[];
  emit: (event: ImageEvent) => void;
}
