import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

/** Milliseconds until it is tried again to write a fact down. */
const interval = 1000;

/**
 * Writes down what has happened to a container. That is so whether it can be written or not: when the disk
 * is full it is tried again, and everything goes on meanwhile.
 */
export function recordFact(context: EngineContext, container: Container): void {
  try {
    context.table.save(container);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    context.log.error("the disk is full: a container's state is written down later", {
      container: container.id,
      status: container.status,
    });
    const again = (): void => {
      if (context.state.db.isOpen && context.table.find(container.id) === container)
        recordFact(context, container);
    };
    setTimeout(again, interval).unref();
  }
}

/** SQLITE_FULL, sqlite3(3). */
const SQLITE_FULL = 13;

/** Whether the database could not grow. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  (("errcode" in error && error.errcode === SQLITE_FULL) || isDiskFull(error.cause));
