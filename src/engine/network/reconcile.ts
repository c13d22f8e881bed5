import { existsSync } from "node:fs";
import { invalid } from "../../lib/errors.ts";
import { isBridge, linkIndex } from "../../network/bridge.ts";
import { type DefaultBridgeOptions, defaultSubnets } from "../../network/default-bridge.ts";
import { parseMessages } from "../../network/netlink/message.ts";
import { getAddresses, NETLINK_ROUTE, parseAddress4 } from "../../network/netlink/route.ts";
import type { NetworkRecord } from "../../network/types.ts";
import { Plan } from "../../runtime/plan/plan.ts";
import type { EngineContext } from "../context.ts";
import { settleConnections } from "./connect.ts";
import { endpointsIn } from "./view.ts";

/** Makes the default network as the daemon was told. Throws INVALID_PARAMETER. */
export async function configureDefaultNetwork(
  context: EngineContext,
  wanted: DefaultBridgeOptions,
): Promise<void> {
  const { id } = context.networks.get("bridge");
  const { bridge } = wanted;
  const given = bridge !== undefined && bridge !== "none" ? await addressOf(context, bridge) : undefined;
  if (context.networks.configureDefault({ ...wanted, ...given }, usedNetworks(context).has(id))) return;
  context.log.warn(
    "containers are in the default network: it gets other addresses when none is in it at a start",
  );
}

/** Throws INVALID_PARAMETER, with dockerd's words, for a default network on a bridge that is not there. */
export function checkDefaultNetwork(wanted: DefaultBridgeOptions): void {
  const { bridge } = wanted;
  if (bridge === "none") return;
  // A bridge says itself what its subnet is.
  if (bridge === undefined) defaultSubnets(wanted);
  else if (!isBridge(bridge))
    throw invalid(
      `Error creating default "bridge" network: bridge device with non default name ${bridge} must be created manually`,
    );
}

/** The first address of a bridge, which says what the network is; it may have none. */
async function addressOf(context: EngineContext, bridge: string): Promise<{ bip?: string }> {
  const index = linkIndex(bridge);
  const plan = new Plan().group("network");
  plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, getAddresses()], "");
  const answer = Buffer.concat(await context.runtime.run(plan));
  const own = [...parseMessages(answer)].map(({ payload }) => parseAddress4(payload));
  const first = own.find((address) => address?.index === index);
  return first ? { bip: first.cidr } : {};
}

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
      if (network) await remake(context, network);
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

async function remake(context: EngineContext, network: NetworkRecord): Promise<void> {
  const gone = network.driver === "bridge" && linkIndex(network.bridge) === undefined;
  const index = await context.networkHost.ensure(network);
  const endpoints = endpointsIn(context, network).map(({ endpoint }) => endpoint);
  if (gone) await context.networkHost.plug(network, index, endpoints);
  await context.networkHost.fastPaths.adopt(network, endpoints);
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
