import type { EngineContext } from "../context.ts";

/** Publishes what happened to a network, with its name and driver as dockerd has them. */
export function networkEvent(
  context: EngineContext,
  networkId: string,
  action: "create" | "connect" | "disconnect" | "destroy",
  extra: Record<string, string> = {},
): void {
  const network = context.networks.find(networkId);
  if (!network) return;
  context.events.publish("network", action, network.id, {
    ...extra,
    name: network.name,
    type: network.driver,
  });
}
