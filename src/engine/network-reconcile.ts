import type { EngineContext } from "./context.ts";

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
    if (network) await context.networkHost.ensure(network);
  }
  await removeStrayLinks(context);
  await context.networkHost.removeUnused(used);
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
