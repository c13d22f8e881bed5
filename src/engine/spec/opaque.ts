import type { FileWorker } from "../../lib/file-worker.ts";
import type { IsOpaque } from "../../lib/rootfs-file.ts";

const MAX_KNOWN = 10_000;

/**
 * Which directories of layers hide what lies below them. Node reads no extended attributes, so berth-files is
 * asked, once for each directory as it is: an attribute that is set changes the time of the last change.
 */
export class OpaqueDirectories {
  readonly #files: FileWorker;
  readonly #known = new Map<string, boolean>();

  constructor(files: FileWorker) {
    this.#files = files;
  }

  /** Does work that asks, again with the answers it asked for, until it has them all. */
  async with<T>(work: (isOpaque: IsOpaque) => T): Promise<T> {
    for (;;) {
      const asked = new Map<string, string>();
      const isOpaque: IsOpaque = (directory, { dev, ino, ctimeMs }) => {
        const key = `${dev}:${ino}:${ctimeMs}`;
        const known = this.#known.get(key);
        if (known === undefined) asked.set(key, directory);
        return known ?? false;
      };
      try {
        const result = work(isOpaque);
        if (asked.size === 0) return result;
      } catch (error) {
        if (asked.size === 0) throw error;
      }
      await this.#ask(asked);
    }
  }

  async #ask(asked: Map<string, string>): Promise<void> {
    const answers = await this.#files.run(["opaque", ...asked.values()]);
    if (this.#known.size + asked.size > MAX_KNOWN) this.#known.clear();
    [...asked.keys()].forEach((key, i) => void this.#known.set(key, answers[i]?.opaque === true));
  }
}
