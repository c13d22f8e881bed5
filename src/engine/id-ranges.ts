import { createHash } from "node:crypto";
import { system } from "../lib/errors.ts";
import type { IdMapping } from "../runtime/oci.ts";

/** Ids per container: what every program expects to find, 0 to 65535. */
export const RANGE_SIZE = 65536;
/** Above the ids that useradd and /etc/subuid hand out, below 2^31 for programs with signed ids. */
const FIRST_ID = 0x2000_0000;
const RANGES = (0x8000_0000 - FIRST_ID) / RANGE_SIZE;
/** The first and the last of all blocks. */
export const ALL_IDS = [FIRST_ID, 0x8000_0000 - 1] as const;

/**
 * Hands every running container a block of host ids of its own. The walk starts at a place that
 * depends on the data root, so that two engines on one host rarely meet.
 */
export class IdRanges {
  /** Containers per block: more than one where they share a user namespace. */
  readonly #used = new Map<number, number>();
  #next: number;

  constructor(dataRoot: string) {
    this.#next = createHash("sha256").update(dataRoot).digest().readUInt32LE(0) % RANGES;
  }

  /** The block that `take` would give. */
  peek(): number {
    if (this.#used.size >= RANGES) throw system("all ranges of user ids are in use: stop a container first");
    while (this.#used.has(this.#next)) this.#next = (this.#next + 1) % RANGES;
    return this.#next;
  }

  /** Takes a free block. Freed blocks come round again last. */
  take(): number {
    const index = this.peek();
    this.#used.set(index, 1);
    this.#next = (index + 1) % RANGES;
    return index;
  }

  /** One more container uses a block: it joins another's user namespace, or was found running. */
  claim(index: number): void {
    this.#used.set(index, (this.#used.get(index) ?? 0) + 1);
  }

  release(index: number): void {
    const left = (this.#used.get(index) ?? 0) - 1;
    if (left > 0) this.#used.set(index, left);
    else this.#used.delete(index);
  }
}

/**
 * Ids beyond a block, as `--user 100000` and images from machines with large directories of users have them.
 * They are too many for a block each, so all containers have the same ids of the host there: of no user of
 * the host, above 2^31 where none are given out, and short of the last, which means "none".
 */
const HIGH_IDS: IdMapping = {
  containerID: RANGE_SIZE,
  hostID: 0x8000_0000,
  size: 0x8000_0000 - RANGE_SIZE,
};

/** The host id of a block's root, the first of the block. */
export const firstId = (index: number): number => FIRST_ID + index * RANGE_SIZE;

/** The mappings for uid_map and gid_map of a block: ids 0 to 2^31 - 1, which are those that Docker knows. */
export const idMappings = (index: number): IdMapping[] => [
  { containerID: 0, hostID: firstId(index), size: RANGE_SIZE },
  HIGH_IDS,
];
