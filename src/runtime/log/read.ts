import { Changes } from "./changes.ts";
import { Cursor } from "./cursor.ts";
import { jsonFile } from "./json-file.ts";
import { local } from "./local.ts";
import type { LogFormat, LogRecord } from "./record.ts";
import { closeSegments, newerSegment, openSegments } from "./segments.ts";
import { findStart } from "./start.ts";

export type { LogRecord } from "./record.ts";

/** Where a shim writes a log. */
export interface LogSource {
  driver: "json-file" | "local";
  path: string;
  /** How many files it rotates through. */
  maxFile: number;
}

export interface LogQuery {
  since?: Date;
  until?: Date;
  /** The last N records, counted before `since` and `until` choose among them. */
  tail?: number;
  /** Go on with what is written until this is aborted; what is unread then is still read. */
  follow?: AbortSignal;
}

const formats: Record<LogSource["driver"], LogFormat> = { "json-file": jsonFile, local };

/** Reads a container's log through all its rotated files, oldest record first. `signal` ends it at once. */
export async function* readLog(
  source: LogSource,
  query: LogQuery = {},
  signal?: AbortSignal,
): AsyncGenerator<LogRecord> {
  const since = query.since?.getTime() ?? Number.NEGATIVE_INFINITY;
  const until = query.until?.getTime() ?? Number.POSITIVE_INFINITY;
  for await (const record of allRecords(source, query, signal)) {
    const time = record.time.getTime();
    if (time > until) return;
    if (time >= since) yield record;
  }
}

async function* allRecords(
  source: LogSource,
  { since, until, tail, follow }: LogQuery,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogRecord> {
  const format = formats[source.driver];
  // Watching begins before reading, so that nothing falls between.
  const changes = follow ? new Changes(source.path, signal ? [follow, signal] : [follow], until) : null;
  let cursor: Cursor | null = null;
  const open = await openSegments(source.path, source.maxFile);
  try {
    const start = await findStart(open, format, { tail, since: since?.getTime() });
    let { offset } = start;
    await closeSegments(open.splice(0, start.segment));
    while (!signal?.aborted) {
      // Asked before reading: what is written up to the end is then still read.
      const over = changes?.over ?? true;
      if (cursor) yield* cursor.records(signal);
      const next = open.shift() ?? (changes ? await newerSegment(source.path, source.maxFile, cursor) : null);
      if (next) {
        if (cursor) {
          // Written between our last read and the rotation.
          yield* cursor.records(signal);
          await cursor.segment.handle.close();
        }
        // Without following a log is what it was when it was opened: it may grow faster than it is read.
        cursor = new Cursor(next, format, offset, changes ? Number.POSITIVE_INFINITY : next.size);
        offset = 0;
      } else if (over) return;
      else await changes?.next();
    }
  } finally {
    changes?.close();
    await closeSegments(open);
    await cursor?.segment.handle.close();
  }
}
