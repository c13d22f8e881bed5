import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { machineEvent } from "./machines/events.ts";
import { isMachine } from "./machines/record.ts";

/** Publishes a container's event with the attributes Docker gives it: labels, image, name and `extra`. */
export function containerEvent(
  context: EngineContext,
  container: Container,
  action: string,
  extra: Record<string, string> = {},
): void {
  if (isMachine(container)) {
    machineEvent(context, container, action, extra);
    return;
  }
  const { config, name, id } = container.record;
  context.events.publish("container", action, id, {
    ...config.Labels,
    image: config.Image ?? "",
    name,
    ...extra,
  });
}
