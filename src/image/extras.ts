import type { State } from "../state/index.ts";
import type { Annotation } from "./layout/annotations.ts";

/** What a build says of an image beyond its configuration. */
export interface ImageExtras {
  annotations: readonly Annotation[];
  /** An SLSA predicate: what it was built from. */
  provenance: object | null;
  /** Whether the provenance goes with the image to registries and into archives. */
  attached: boolean;
}

/** Extras of images, and names that stand for images of several platforms. */
export class ExtrasStore {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  set(image: string, { annotations, provenance, attached }: ImageExtras): void {
    this.#state
      .statement("INSERT OR REPLACE INTO image_extras VALUES (?, ?, ?, ?)")
      .run(image, JSON.stringify(annotations), provenance && JSON.stringify(provenance), attached ? 1 : 0);
  }

  get(image: string): ImageExtras {
    const row = this.#state
      .statement("SELECT annotations, provenance, attached FROM image_extras WHERE image = ?")
      .get(image);
    if (!row) return { annotations: [], provenance: null, attached: false };
    return {
      annotations: JSON.parse(String(row.annotations)),
      provenance: row.provenance === null ? null : JSON.parse(String(row.provenance)),
      attached: row.attached === 1,
    };
  }

  /** The images of a stored name that stands for several; empty for one that does not. */
  members(ref: string): string[] {
    return this.#state
      .statement("SELECT image FROM tag_members WHERE ref = ? ORDER BY position")
      .all(ref)
      .map((row) => String(row.image));
  }

  /** Has a stored name, which must have been set, stand for several images. */
  setMembers(ref: string, images: readonly string[]): void {
    const insert = this.#state.statement("INSERT INTO tag_members VALUES (?, ?, ?)");
    for (const [position, image] of images.entries()) insert.run(ref, position, image);
  }

  /** Whether an image belongs to a name that stands for several. */
  isMember(image: string): boolean {
    return (
      this.#state.statement("SELECT 1 FROM tag_members WHERE image = ? LIMIT 1").get(image) !== undefined
    );
  }
}
