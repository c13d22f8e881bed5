import { existsSync } from "node:fs";
import type { EngineContext } from "../context.ts";
import { settleConnections } from "./connect.ts";

/** Ids of the networks in which containers are now. */
export function usedNetworks(context: EngineContext): Set<string> {
  const endpoints = context.table.all().flatMap(({ record }) => record.state.network?.endpoints ?? []);
  return new Set(endpoints.map(({ networkId }) => networkId));
}

/**
 * Makes links and rules agree with the containers that were found running: what a crash left is removed,
 * what somebody took away is made again.
 */
export async function reconcileNetworks(context: EngineContext): Promise<void> {
  const used = usedNetworks(context);
  for (const id of used) {
    const network = context.networks.find(id);
    try {
      if (network) await context.networkHost.ensure(network);
    } catch (error) {
      // Containers of other networks are served all the same.
      context.log.error("a network could not be made again", { network: id, error: String(error) });
    }
  }
  const isLink = (name: string): boolean => existsSync(`/sys/class/net/${name}`);
  for (const container of context.table.all()) {
    if (!container.running) continue;
    try {
      await container.lock.run(() => settleConnections(context, container, isLink));
    } catch (error) {
      // One container's network must not keep the daemon from serving the others.
      context.log.error("a connection that was cut off could not be settled", {
        container: container.id,
        error: String(error),
      });
    }
  }
  await removeStrayLinks(context);
  await context.networkHost.removeUnused(usedNetworks(context));
}

/** Removes what no running container needs any more. */
export async function closeNetworks(context: EngineContext): Promise<void> {
  context.names.close();
  try {
    // Namespaces that are being taken down have theirs for some milliseconds more.
    await removeStrayLinks(context);
    await context.networkHost.removeUnused(usedNetworks(context));
  } catch (error) {
    context.log.warn("could not remove unused bridges", { error: String(error) });
  }
}

async function removeStrayLinks(context: EngineContext): Promise<void> {
  const endpoints = context.table.all().flatMap(({ record }) => record.state.network?.endpoints ?? []);
  await context.networkHost.removeStrayLinks(new Set(endpoints.map(({ link }) => link)));
}
