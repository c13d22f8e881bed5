import { BerthError, conflict } from "../../lib/errors.ts";
import { readLog } from "../../runtime/log/read.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import type { LogLine, LogsOptions } from "../types.ts";
import { shimLog } from "./options.ts";

/**
 * What a container wrote, from all files its log has rotated through. Following ends when the
 * container exits. Throws NOT_IMPLEMENTED, as dockerd, for the driver `none`.
 */
export function readLogs(
  context: EngineContext,
  container: Container,
  options: LogsOptions,
  signal?: AbortSignal,
): AsyncIterable<LogLine> {
  const { record } = container;
  if (container.status === "dead" || container.status === "removing") {
    throw conflict("can not get logs from container which is dead or marked for removal");
  }
  const { driver, path, maxFile } = shimLog(record, containerDirectory(context, container.id));
  if (driver === "none") {
    throw new BerthError("NOT_IMPLEMENTED", "configured logging driver does not support reading");
  }
  return lines({ driver, path, maxFile }, container, options, signal);
}

async function* lines(
  source: Parameters<typeof readLog>[0],
  container: Container,
  { since, until, tail, follow, stdout, stderr }: LogsOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogLine> {
  const exit = new AbortController();
  const onStop = (): void => exit.abort();
  // Without a process there is nothing to follow, even when a restart is due.
  const live = follow && container.running;
  if (live) container.onStop.add(onStop);
  try {
    const query = { since, until, tail, ...(live ? { follow: exit.signal } : {}) };
    for await (const record of readLog(source, query, signal)) {
      if (record.stream === "stdout" ? stdout : stderr) yield record;
    }
  } finally {
    container.onStop.delete(onStop);
  }
}
