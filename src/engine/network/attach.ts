import { existsSync } from "node:fs";
import type { EndpointSettings } from "@docker/node-sdk";
import { BerthError, invalid, notFound } from "../../lib/errors.ts";
import { lacksSubnet } from "../../network/default-bridge.ts";
import { chooseLinkName, linkSysctls } from "../../network/interface.ts";
import {
  defaultRoutes,
  endpointLinks,
  gatewayOf,
  hasResolver,
  hostIndex,
  insideMessages,
  type LinkMessages,
  linkNameInside,
  loopback,
  resolverRoute,
  tapMessages,
} from "../../network/links.ts";
import { networkOptions } from "../../network/options.ts";
import { sharesLink } from "../../network/parents.ts";
import {
  endpointElements,
  portElements,
  type RuleElement,
  reachElements,
  selfElements,
} from "../../network/rules/elements.ts";
import { type Endpoint, type NetworkRecord, usesIpv6 } from "../../network/types.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import type { FastPathSetup, NetworkSetup } from "../../runtime/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { isMachine } from "../machines/record.ts";
import { type NetworkState, noNetwork } from "../record.ts";
import { checkWish } from "./check.ts";
import { networkEvent } from "./events.ts";
import { publishedPorts } from "./ports.ts";

/** The links of a network namespace that has none but the loopback. */
export const loopbackOnly: NetworkSetup = {
  linked: false,
  rules: [],
  host: [],
  carriers: [],
  fastPaths: [],
  inside: [loopback],
};

/** Why the networks without links are no container's one among several, by driver. */
export const standsAlone: Record<string, string> = {
  host: "container cannot be disconnected from host network or connected to host network",
  null: "container cannot be connected to multiple networks with one of the networks in private (none) mode",
};

/** A network that a container is to be in, and what it wants there. */
export interface Membership {
  network: NetworkRecord;
  wish: EndpointSettings;
}

/** The networks of a container in the order of its links. Throws NOT_FOUND for one that is gone. */
export function memberships(context: EngineContext, container: Container): Membership[] {
  const { networking, hostConfig } = container.record;
  const mode = hostConfig.NetworkMode ?? "bridge";
  if (mode.startsWith("container:") || container.record.config.NetworkDisabled) return [];
  const wishes = { [mode]: {}, ...networking.EndpointsConfig };
  const found = Object.entries(wishes).flatMap(([name, wish]) => {
    const network = context.networks.find(name);
    // One that there is no more stands for the loopback alone, as with dockerd.
    if (!network && context.networks.isSwitchedOff(name)) return [];
    if (!network) throw notFound(`network ${name} not found`);
    return [{ network, wish, first: name === mode }];
  });
  const distinct = found.filter(
    ({ network }, at) => found.findIndex((other) => other.network === network) === at,
  );
  // What the others need would be done to the host's own links.
  const alone = distinct.find((membership) => !hasLink(membership));
  if (alone && distinct.length > 1)
    throw new BerthError("FORBIDDEN", standsAlone[alone.network.driver] ?? "");
  return distinct
    .sort((a, b) => Number(b.first) - Number(a.first) || a.network.name.localeCompare(b.network.name, "en"))
    .map(({ network, wish, first }) => ({ network, wish: withOwnMac(container, wish ?? {}, first) }));
}

/** The hardware address that an old client gave the container is that of its link in its `first` network. */
export function withOwnMac({ record }: Container, wish: EndpointSettings, first: boolean): EndpointSettings {
  const { MacAddress } = record.config;
  return first && MacAddress && !wish.MacAddress ? { ...wish, MacAddress } : wish;
}

const hasLink = ({ network }: Membership): boolean => network.driver !== "host" && network.driver !== "null";

/**
 * Takes addresses and ports for a start, makes bridges that are missing, and answers with the messages
 * that make the container's links. What was taken is in the container's state, for `releaseNetworks`.
 */
export async function acquireNetworks(context: EngineContext, container: Container): Promise<NetworkSetup> {
  const all = memberships(context, container);
  for (const { network, wish } of all) checkWish(network, wish);
  const joined = all.filter(hasLink);
  if (joined.length === 0) return loopbackOnly;
  const onto: number[] = [];
  for (const { network } of joined) onto.push(await context.networkHost.ensure(network));
  requirePresent(
    context,
    joined.map(({ network }) => network),
  );
  const { state } = container.record;
  const network: NetworkState = noNetwork();
  state.network = network;
  for (const [position, membership] of joined.entries()) {
    network.endpoints.push(takeEndpoint(context, membership, position, network.endpoints));
  }
  network.gateway = chooseGateway(joined, network.endpoints);
  network.ports = await takePorts(context, container);
  if (!hasTaps(container)) context.networkHost.fastPaths.hold(network.endpoints);
  // What was taken is written before it is used, for the daemon that comes after a crash.
  context.table.save(container);
  context.names.changed();
  return setup(context, container, joined, network, onto);
}

/** Throws NOT_FOUND for networks that were removed meanwhile. From here on none is until something is waited for. */
export function requirePresent(context: EngineContext, networks: readonly NetworkRecord[]): void {
  for (const { id, name } of networks)
    if (!context.networks.find(id)) throw notFound(`network ${name} not found`);
}

/** What stands for the networks of a start that is not yet: whether there are any. */
export function networksToCome(context: EngineContext, container: Container): NetworkSetup {
  const linked = memberships(context, container).some(hasLink);
  return linked ? { linked, rules: [], host: [], carriers: [], fastPaths: [], inside: [] } : loopbackOnly;
}

/** What `acquireNetworks` would answer now; nothing is taken or made. */
export function previewNetworks(context: EngineContext, container: Container): NetworkSetup {
  const joined = memberships(context, container).filter(hasLink);
  // The default bridge has no addresses before its first use.
  if (joined.some(({ network }) => lacksSubnet(network))) return loopbackOnly;
  const state = noNetwork();
  for (const [position, membership] of joined.entries()) {
    const endpoint = takeEndpoint(context, membership, position, state.endpoints);
    context.networks.releaseEndpoint(endpoint);
    state.endpoints.push(endpoint);
  }
  state.gateway = chooseGateway(joined, state.endpoints);
  // Of a container that there is only to look at.
  container.record.state.network = state;
  return setup(context, container, joined, state, []);
}

/** A link without IPv6 addresses does without IPv6; one to a name server takes answers from its address. */
export function endpointSysctls(
  context: EngineContext,
  endpoints: readonly Endpoint[] = [],
): Record<string, string> {
  const hasIpv6 = existsSync("/proc/sys/net/ipv6");
  const switches = endpoints.flatMap((endpoint) => {
    const name = linkNameInside(endpoint);
    const network = context.networks.find(endpoint.networkId);
    return [
      ...(hasIpv6 && !usesIpv6(endpoint) ? [[`net/ipv6/conf/${name}/disable_ipv6`, "1"]] : []),
      ...(network && hasResolver(network, endpoint) ? [[`net/ipv4/conf/${name}/route_localnet`, "1"]] : []),
      ...Object.entries(endpoint.sysctls ?? {}),
    ];
  });
  return Object.fromEntries(switches);
}

/** The endpoint by which a container asks for names; undefined where the default bridge's way is used. */
export function resolverEndpoint(
  context: EngineContext,
  endpoints: readonly Endpoint[],
): { network: NetworkRecord; endpoint: Endpoint } | undefined {
  for (const endpoint of endpoints) {
    const network = context.networks.find(endpoint.networkId);
    if (network && hasResolver(network, endpoint)) return { network, endpoint };
  }
  return undefined;
}

/** The message, sent inside, that leads to the name server. */
export function resolverRoutes(context: EngineContext, endpoints: readonly Endpoint[]) {
  const found = resolverEndpoint(context, endpoints);
  return found ? resolverRoute(found.network, found.endpoint) : [];
}

/** What a failed start means when the kernel has no such links as a network of the container is made of. */
export function startFailure(context: EngineContext, container: Container, error: unknown): unknown {
  if (!(error instanceof LaunchError) || error.errno !== "ENOTSUP" || error.step?.op !== "netlink")
    return error;
  const lacking = memberships(context, container).find(({ network }) => sharesLink(network));
  if (!lacking) return error;
  const { name, driver } = lacking.network;
  return new BerthError(
    "SYSTEM",
    `network ${name}: failed to create the ${driver} port: operation not supported by this kernel`,
    { cause: error },
  );
}

/** Takes a container's place in a network, beside the `others` that it has. */
export function takeEndpoint(
  context: EngineContext,
  { network, wish }: Membership,
  position: number,
  others: readonly Endpoint[],
): Endpoint {
  const name = chooseLinkName(networkOptions(network).prefix, wish.DriverOpts, others.map(linkNameInside));
  const wanted = {
    ipv4: wish.IPAMConfig?.IPv4Address,
    ipv6: wish.IPAMConfig?.IPv6Address,
    linkLocal: wish.IPAMConfig?.LinkLocalIPs,
    mac: wish.MacAddress,
    name,
    sysctls: linkSysctls(wish.DriverOpts, name),
  };
  return context.networks.takeEndpoint(network, wanted, position);
}

/** The endpoint whose network leads out: of those that have a gateway the highest priority's, else the first by name. */
export function chooseGateway(joined: readonly Membership[], endpoints: readonly Endpoint[]): string {
  const priority = ({ wish }: Membership): number => wish.GwPriority ?? 0;
  const candidates = joined
    .map((membership, at) => ({ membership, endpoint: endpoints[at] }))
    .filter(({ membership: { network } }) =>
      [4, 6].some((version) => gatewayOf(network, version as 4 | 6) !== ""),
    )
    .sort(
      ({ membership: a }, { membership: b }) =>
        priority(b) - priority(a) || (a.network.name < b.network.name ? -1 : 1),
    );
  return candidates[0]?.endpoint?.id ?? "";
}

export async function takePorts(
  context: EngineContext,
  container: Container,
): Promise<NetworkState["ports"]> {
  const { network } = container.record.state;
  const gateway = gatewayEndpoint(container);
  const home = gateway && context.networks.find(gateway.networkId);
  if (!network || !gateway || home?.driver !== "bridge") return [];
  try {
    return await publishedPorts(context, container, home, gateway);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    throw new BerthError(
      error.code,
      "failed to set up container networking: driver failed programming external connectivity on endpoint " +
        `${container.record.name} (${gateway.id}): ${error.message}`,
      { cause: error },
    );
  }
}

/** The endpoint that leads out, while the container runs. */
export function gatewayEndpoint({ record }: Container): Endpoint | undefined {
  const { network } = record.state;
  return network?.endpoints.find(({ id }) => id === network.gateway);
}

/** What furnishes the links of a container's virtual machine, which have these numbers there. */
export function guestLinks(
  context: EngineContext,
  container: Container,
  indices: readonly number[],
): NetworkSetup["inside"] {
  const { network } = container.record.state;
  const links = (network?.endpoints ?? []).flatMap((endpoint, at) => {
    const home = context.networks.find(endpoint.networkId);
    return home ? insideMessages(home, endpoint, indices[at] ?? 0, endpoint.id === network?.gateway) : [];
  });
  const found = resolverEndpoint(context, network?.endpoints ?? []);
  const at = found && network ? network.endpoints.indexOf(found.endpoint) : -1;
  const resolver = found ? resolverRoute(found.network, found.endpoint, indices[at] ?? 0) : [];
  return [loopback, ...links, ...resolver];
}

/** The links of a virtual machine are taps. */
const hasTaps = (container: Container): boolean =>
  isIsolated(container.record.hostConfig) || isMachine(container);

/** How the links of a container come about: by their own driver, or as the taps of a virtual machine. */
function linksOf(
  container: Container,
  network: NetworkRecord,
  endpoint: Endpoint,
  onto: number,
  isGateway: boolean,
): LinkMessages {
  if (!hasTaps(container)) return endpointLinks(network, endpoint, onto, isGateway);
  if (network.driver !== "bridge")
    throw invalid(
      `network ${network.name} of driver ${network.driver} has no link for a virtual machine; use one of driver bridge`,
    );
  return { host: tapMessages(network, endpoint, onto), inside: [], carriers: [] };
}

/** What puts a new link on its network's fast path. */
export function fastPathOf(context: EngineContext, endpoint: Endpoint): FastPathSetup | undefined {
  const { fastPaths } = context.networkHost;
  return fastPaths.setup(endpoint.networkId, [[endpoint, hostIndex(endpoint)]]);
}

function setup(
  context: EngineContext,
  container: Container,
  joined: readonly Membership[],
  state: NetworkState,
  onto: readonly number[],
): NetworkSetup {
  const links = joined.flatMap(({ network }, at) => {
    const endpoint = state.endpoints[at];
    return endpoint
      ? [linksOf(container, network, endpoint, onto[at] ?? 0, endpoint.id === state.gateway)]
      : [];
  });
  const elements = networkElements(context, state);
  const rules = context.networkHost.additions(elements);
  return {
    linked: true,
    rules: rules.map((message) => ({
      message,
      why: "addresses that its links may use, and published ports",
    })),
    directPorts: context.networkHost.directPorts.setup("add", elements),
    host: links.flatMap(({ host }) => host),
    carriers: links.flatMap(({ carriers }) => carriers),
    fastPaths: hasTaps(container)
      ? []
      : state.endpoints.flatMap((endpoint) => fastPathOf(context, endpoint) ?? []),
    inside: [
      loopback,
      ...links.flatMap(({ inside }) => inside),
      // A virtual machine's links are furnished inside it.
      ...(isIsolated(container.record.hostConfig) ? [] : resolverRoutes(context, state.endpoints)),
    ],
  };
}

/** The messages, sent inside, that lead out by the endpoint that is now the gateway. */
export function gatewayRoutes(joined: readonly Membership[], state: NetworkState): Buffer[] {
  const endpoint = state.endpoints.find(({ id }) => id === state.gateway);
  const home = joined.find(({ network }) => network.id === endpoint?.networkId);
  return endpoint && home ? defaultRoutes(home.network, endpoint).map(({ message }) => message) : [];
}

/** Containers that publish more ports, counted per family, have their connections led by the rules alone. */
const MOST_DIRECT = 32;

/** What the rules have of a container's network. */
export function networkElements(
  { networks, networkHost }: Pick<EngineContext, "networks" | "networkHost">,
  state: NetworkState | null | undefined,
): RuleElement[] {
  if (!state) return [];
  const gateway = state.endpoints.find(({ id }) => id === state.gateway);
  const home = gateway && networks.find(gateway.networkId);
  const count = state.ports.reduce((sum, ports) => sum + ports.count, 0);
  const direct = home !== undefined && networkOptions(home).fastPath && count <= MOST_DIRECT;
  return [
    ...state.endpoints.flatMap(endpointElements),
    ...(gateway && state.ports.length > 0 ? selfElements(gateway) : []),
    ...state.ports.flatMap((ports) => {
      const address = ports.hostIp.includes(":") ? gateway?.ipv6 : gateway?.ipv4;
      if (!address) return [];
      const routed = home && networkOptions(home).modes[address.includes(":") ? 6 : 4] === "routed";
      return [
        ...portElements(ports, address, { loopback: networkHost.loopback, direct }),
        ...(routed ? reachElements(ports, address) : []),
      ];
    }),
  ];
}

/** Tells the world of a started container's networks. */
export function announceNetworks(
  context: EngineContext,
  container: Container,
  action: "connect" | "disconnect",
): void {
  const { state, hostConfig } = container.record;
  const linked = state.network?.endpoints.map(({ networkId }) => networkId) ?? [];
  const mode = hostConfig.NetworkMode ?? "";
  // These have no links, but dockerd tells of them too.
  const others = mode === "none" || mode === "host" ? [mode] : [];
  for (const network of [...linked, ...others])
    networkEvent(context, network, action, { container: container.id });
}

/** Gives back what a container has in its networks. Runs twice without harm. */
export async function releaseNetworks(context: EngineContext, container: Container): Promise<void> {
  const { state } = container.record;
  const network = state.network;
  if (!network) return;
  // Its links go with its namespace. The rules first: the next one may get the same port.
  const { networkHost } = context;
  await networkHost.release(networkElements(context, network), network.endpoints);
  state.network = null;
  context.names.changed();
  for (const endpoint of network.endpoints) context.networks.releaseEndpoint(endpoint);
  context.ports.release(network.ports);
}

/** Takes again what a container that was found running has. */
export function adoptNetworks(context: EngineContext, container: Container): void {
  const { network } = container.record.state;
  if (!network) return;
  for (const endpoint of network.endpoints) {
    const home = context.networks.find(endpoint.networkId);
    if (home) context.networks.adoptEndpoint(home, endpoint);
  }
  context.ports.adopt(network.ports);
}
