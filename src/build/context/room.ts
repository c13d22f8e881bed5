import { statfsSync } from "node:fs";
import { compressionOf } from "../../lib/decompress.ts";

const blockSize = 512;
const page = 4096;
/** The most that a context takes of the memory, and of what there is of it in a file system. */
const most = 128 * 2 ** 20;
const share = 0.25;
/** statfs(2): a file system in memory. */
const tmpfs = 0x01021994;

/** How much of a context a directory's file system can take in memory; 0 when it is on a disk. */
export function roomIn(directory: string): number {
  const { type, bavail, bsize } = statfsSync(directory);
  return type === tmpfs ? Math.min(most, share * bavail * bsize) : 0;
}

/** Tells what the files of an archive would take in memory, as the archive comes. */
export class TarMeter {
  /** Bytes; infinite for what is compressed, of which nobody knows before. */
  need = 0;
  #rest: Buffer = Buffer.alloc(0);
  #data = 0;
  #begun = false;

  take(chunk: Buffer): void {
    if (!this.#begun) {
      this.#begun = true;
      if (compressionOf(chunk) !== "none") this.need = Number.POSITIVE_INFINITY;
    }
    if (this.need === Number.POSITIVE_INFINITY) return;
    let at = 0;
    if (this.#data > 0) {
      at = Math.min(this.#data, chunk.length);
      this.#data -= at;
    }
    let rest = this.#rest.length === 0 ? chunk.subarray(at) : Buffer.concat([this.#rest, chunk.subarray(at)]);
    while (rest.length >= blockSize && this.#data === 0) {
      // Sizes beyond octal digits are of files that are too large for here.
      const digits = rest.toString("latin1", 124, 136).replace(/[\0 ].*$/s, "");
      const size = /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : Number.POSITIVE_INFINITY;
      this.need += page + Math.ceil(size / page) * page;
      if (this.need === Number.POSITIVE_INFINITY) return;
      const whole = blockSize + Math.ceil(size / blockSize) * blockSize;
      this.#data = Math.max(0, whole - rest.length);
      rest = rest.subarray(Math.min(whole, rest.length));
    }
    this.#rest = rest;
  }
}
