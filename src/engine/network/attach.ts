import { existsSync } from "node:fs";
import type { EndpointSettings } from "@docker/node-sdk";
import { BerthError, invalid, notFound } from "../../lib/errors.ts";
import {
  defaultRoutes,
  endpointLinks,
  gatewayOf,
  insideMessages,
  type LinkMessages,
  linkNameInside,
  loopback,
  tapMessages,
} from "../../network/links.ts";
import {
  endpointElements,
  portElements,
  type RuleElement,
  selfElements,
} from "../../network/rules/elements.ts";
import type { Endpoint, NetworkRecord } from "../../network/types.ts";
import type { NetworkSetup } from "../../runtime/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { type NetworkState, noNetwork } from "../record.ts";
import { checkWish } from "./check.ts";
import { networkEvent } from "./events.ts";
import { publishedPorts } from "./ports.ts";

/** The links of a network namespace that has none but the loopback. */
export const loopbackOnly: NetworkSetup = { rules: [], host: [], inside: [loopback] };

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
  const found = Object.entries(wishes).map(([name, wish]) => {
    const network = context.networks.find(name);
    if (!network) throw notFound(`network ${name} not found`);
    return { network, wish, first: name === mode };
  });
  return found
    .filter(({ network }, at) => found.findIndex((other) => other.network === network) === at)
    .sort((a, b) => Number(b.first) - Number(a.first) || a.network.name.localeCompare(b.network.name, "en"))
    .map(({ network, wish }) => ({ network, wish: wish ?? {} }));
}

const hasLink = ({ network }: Membership): boolean => network.driver !== "host" && network.driver !== "null";

/**
 * Takes addresses and ports for a start, makes bridges that are missing, and answers with the messages
 * that make the container's links. What was taken is in the container's state, for `releaseNetworks`.
 */
export async function acquireNetworks(context: EngineContext, container: Container): Promise<NetworkSetup> {
  const joined = memberships(context, container).filter(hasLink);
  if (joined.length === 0) return loopbackOnly;
  const onto: number[] = [];
  for (const { network } of joined) onto.push(await context.networkHost.ensure(network));
  const { state } = container.record;
  const network: NetworkState = noNetwork();
  state.network = network;
  for (const [position, membership] of joined.entries()) {
    checkWish(membership.network, membership.wish);
    network.endpoints.push(takeEndpoint(context, membership, position));
  }
  network.gateway = chooseGateway(joined, network.endpoints);
  network.ports = await takePorts(context, container);
  // What was taken is written before it is used, for the daemon that comes after a crash.
  context.table.save(container);
  context.names.changed();
  return setup(context, container, joined, network, onto);
}

/** What `acquireNetworks` would answer now; nothing is taken or made. */
export function previewNetworks(context: EngineContext, container: Container): NetworkSetup {
  const joined = memberships(context, container).filter(hasLink);
  // The default bridge has no addresses before its first use.
  if (joined.some(({ network }) => network.driver === "bridge" && network.subnets.length === 0))
    return loopbackOnly;
  const state = noNetwork();
  for (const [position, membership] of joined.entries()) {
    const endpoint = takeEndpoint(context, membership, position);
    context.networks.releaseEndpoint(endpoint);
    state.endpoints.push(endpoint);
  }
  state.gateway = chooseGateway(joined, state.endpoints);
  return setup(context, container, joined, state, []);
}

/** A link without IPv6 addresses does without IPv6. */
export function endpointSysctls(state: NetworkState | null | undefined): Record<string, string> {
  if (!existsSync("/proc/sys/net/ipv6")) return {};
  const plain = (state?.endpoints ?? []).filter(({ ipv6 }) => ipv6 === "");
  return Object.fromEntries(
    plain.map((endpoint) => [`net/ipv6/conf/${linkNameInside(endpoint)}/disable_ipv6`, "1"]),
  );
}

export function takeEndpoint(
  context: EngineContext,
  { network, wish }: Membership,
  position: number,
): Endpoint {
  const wanted = {
    ipv4: wish.IPAMConfig?.IPv4Address,
    ipv6: wish.IPAMConfig?.IPv6Address,
    mac: wish.MacAddress,
  };
  return context.networks.takeEndpoint(network, wanted, position);
}

/** The endpoint whose network leads out: of the highest priority, else the first that has a gateway. */
export function chooseGateway(joined: readonly Membership[], endpoints: readonly Endpoint[]): string {
  const priority = ({ wish }: Membership): number => wish.GwPriority ?? 0;
  const candidates = joined
    .map((membership, at) => ({ membership, endpoint: endpoints[at] }))
    .filter(({ membership: { network } }) =>
      [4, 6].some((version) => gatewayOf(network, version as 4 | 6) !== ""),
    )
    .sort((a, b) => priority(b.membership) - priority(a.membership));
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
  return [loopback, ...links];
}

/** How the links of a container come about: by their own driver, or as the taps of a virtual machine. */
function linksOf(
  container: Container,
  network: NetworkRecord,
  endpoint: Endpoint,
  onto: number,
  isGateway: boolean,
): LinkMessages {
  if (!isIsolated(container.record.hostConfig)) return endpointLinks(network, endpoint, onto, isGateway);
  if (network.driver !== "bridge")
    throw invalid(
      `--isolation=hyperv: network ${network.name} of driver ${network.driver} has no link for a virtual machine; use one of driver bridge`,
    );
  return { host: tapMessages(network, endpoint, onto), inside: [] };
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
  const rules = context.networkHost.additions(networkElements(state));
  return {
    rules: rules.map((message) => ({
      message,
      why: "addresses that its links may use, and published ports",
    })),
    host: links.flatMap(({ host }) => host),
    inside: [loopback, ...links.flatMap(({ inside }) => inside)],
  };
}

/** The messages, sent inside, that lead out by the endpoint that is now the gateway. */
export function gatewayRoutes(joined: readonly Membership[], state: NetworkState): Buffer[] {
  const endpoint = state.endpoints.find(({ id }) => id === state.gateway);
  const home = joined.find(({ network }) => network.id === endpoint?.networkId);
  return endpoint && home ? defaultRoutes(home.network, endpoint).map(({ message }) => message) : [];
}

/** What the rules have of a container's network. */
export function networkElements(state: NetworkState | null | undefined): RuleElement[] {
  if (!state) return [];
  const gateway = state.endpoints.find(({ id }) => id === state.gateway);
  return [
    ...state.endpoints.flatMap(endpointElements),
    ...(gateway && state.ports.length > 0 ? selfElements(gateway) : []),
    ...state.ports.flatMap((ports) => {
      const address = ports.hostIp.includes(":") ? gateway?.ipv6 : gateway?.ipv4;
      return address ? portElements(ports, address) : [];
    }),
  ];
}

/** Tells the world of a started container's networks. */
export function announceNetworks(
  context: EngineContext,
  container: Container,
  action: "connect" | "disconnect",
): void {
  for (const { networkId } of container.record.state.network?.endpoints ?? [])
    networkEvent(context, networkId, action, { container: container.id });
}

/** Gives back what a container has in its networks. Runs twice without harm. */
export async function releaseNetworks(context: EngineContext, container: Container): Promise<void> {
  const { state } = container.record;
  const network = state.network;
  if (!network) return;
  // Its links go with its namespace. The rules first: the next one may get the same port.
  await context.networkHost.change("remove", networkElements(network));
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
