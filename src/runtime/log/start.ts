import type { LogFormat } from "./record.ts";
import type { Segment } from "./segments.ts";

const BLOCK = 128 * 1024;

/** Where reading begins. */
export interface Start {
  segment: number;
  offset: number;
}

export interface StartOptions {
  /** The last N records. */
  tail?: number;
  /** Milliseconds since 1970. */
  since?: number;
}

/**
 * The place from which `tail` records are left, or where the first of `since` is, found from the end:
 * it costs what will be read, not what the log holds. Records are taken to be in the order of time.
 */
export async function findStart(
  segments: readonly Segment[],
  format: LogFormat,
  options: StartOptions,
): Promise<Start> {
  if (options.tail === undefined && options.since === undefined) return { segment: 0, offset: 0 };
  let left = options.tail ?? Number.POSITIVE_INFINITY;
  const { since } = options;
  const last = segments.at(-1);
  let start: Start = { segment: Math.max(0, segments.length - 1), offset: last?.size ?? 0 };
  if (left <= 0) return start;
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index];
    if (!segment) continue;
    const complete = await walkBack(segment, format, (offset, record) => {
      if (since !== undefined && format.timeOf(record) < since) return false;
      start = { segment: index, offset };
      return --left > 0;
    });
    if (!complete) break;
  }
  return start;
}

/** Visits a file's records from the last to the first until `visit` says false; tells whether it got to the first. */
async function walkBack(
  { handle, size }: Segment,
  format: LogFormat,
  visit: (offset: number, record: Buffer) => boolean,
): Promise<boolean> {
  let from = size;
  let data: Buffer = Buffer.alloc(0);
  while (from > 0) {
    const length = Math.min(BLOCK, from);
    from -= length;
    const block = Buffer.allocUnsafe(length);
    const { bytesRead } = await handle.read(block, 0, length, from);
    data = Buffer.concat([block.subarray(0, bytesRead), data]);
    for (;;) {
      let record = format.measureBack(data);
      if (record < 0) return true;
      if (record === 0) {
        if (from > 0 || data.length === 0) break;
        record = data.length;
      }
      const at = data.length - record;
      // The last one may be half written.
      const whole = format.measure(data.subarray(at)) === record;
      if (whole && !visit(from + at, data.subarray(at))) return false;
      data = data.subarray(0, at);
    }
  }
  return true;
}
