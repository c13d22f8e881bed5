import type { EngineContext } from "../context.ts";
import type { Machine } from "./record.ts";

/** Publishes what happened to a machine; `berth events` shows it with the type "machine". */
export function machineEvent(
  context: EngineContext,
  { record }: Machine,
  action: string,
  extra: Record<string, string> = {},
): void {
  context.events.publish("machine", action, record.id, { name: record.name, ...extra });
}
