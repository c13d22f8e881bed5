import type { EndpointSettings } from "@docker/node-sdk";
import { BerthError, conflict } from "../../lib/errors.ts";
import { endpointLinks, linkNameInside, noDefaultRoutes } from "../../network/links.ts";
import { NETLINK_NETFILTER } from "../../network/netlink/nftables.ts";
import { deleteLink, NETLINK_ROUTE } from "../../network/netlink/route.ts";
import type { RuleElement } from "../../network/rules/elements.ts";
import type { Endpoint, NetworkRecord, PublishedPorts } from "../../network/types.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import { O_RDONLY } from "../../runtime/linux.ts";
import { Plan } from "../../runtime/plan/plan.ts";
import { planCarriers, planDirectPorts, planFastPath } from "../../runtime/spec/network.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { noNetwork } from "../record.ts";
import {
  chooseGateway,
  endpointSysctls,
  fastPathOf,
  gatewayRoutes,
  type Membership,
  networkElements,
  requirePresent,
  resolverEndpoint,
  resolverRoutes,
  standsAlone,
  takeEndpoint,
  takePorts,
  withOwnMac,
} from "./attach.ts";
import { checkWish } from "./check.ts";
import { networkEvent } from "./events.ts";
import { rewriteNeighbourFiles, rewriteNetworkFiles } from "./files.ts";

const CLONE_NEWNET = 0x40000000;
const ESRCH = 3;
const EEXIST = 17;
const ENODEV = 19;

/** Puts a container, running or not, into a network. Throws dockerd's texts. */
export function connectContainer(
  context: EngineContext,
  network: NetworkRecord,
  container: Container,
  wish: EndpointSettings,
): Promise<void> {
  return container.lock.run(async () => {
    await context.ahead.giveUp(container.id);
    refuseShared(container, network);
    checkWish(network, wish);
    const { networking, hostConfig } = container.record;
    const known = membershipKey(context, container, network);
    if (known !== undefined && (!container.running || endpointOf(container, network))) {
      throw new BerthError(
        "FORBIDDEN",
        `endpoint with name ${container.record.name} already exists in network ${network.name}`,
      );
    }
    if (container.running) refuseMachine(container, "connected to");
    if (container.running) {
      const isFirst = hostConfig.NetworkMode === "none";
      await connectLive(context, network, container, withOwnMac(container, wish, isFirst));
    }
    // Without a network before, its first one is this.
    const { none: _none, ...others } = networking.EndpointsConfig ?? {};
    if (hostConfig.NetworkMode === "none") hostConfig.NetworkMode = network.name;
    networking.EndpointsConfig = { ...others, [network.name]: wish };
    context.table.save(container);
    if (container.running) {
      context.names.changed();
      rewriteNetworkFiles(context, container);
      rewriteNeighbourFiles(context, container);
      networkEvent(context, network.id, "connect", { container: container.id });
    }
  });
}

/** A virtual machine has the network devices that it was started with. */
function refuseMachine({ record }: Container, verb: string): void {
  if (!isIsolated(record.hostConfig)) return;
  throw conflict(
    `container ${record.id} is in a virtual machine and cannot be ${verb} a network while it runs: stop it first`,
  );
}

function refuseShared({ record }: Container, network: NetworkRecord): void {
  const mode = record.hostConfig.NetworkMode ?? "";
  const alone = standsAlone[network.driver];
  if (alone) throw new BerthError("FORBIDDEN", alone);
  if (mode.startsWith("container:") || mode === "host")
    throw new BerthError(
      "FORBIDDEN",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
}

const endpointOf = ({ record }: Container, { id }: NetworkRecord): Endpoint | undefined =>
  record.state.network?.endpoints.find(({ networkId }) => networkId === id);

/** Under what name the container's configuration has the network. */
function membershipKey(
  context: EngineContext,
  { record }: Container,
  network: NetworkRecord,
): string | undefined {
  const keys = [
    record.hostConfig.NetworkMode ?? "bridge",
    ...Object.keys(record.networking.EndpointsConfig ?? {}),
  ];
  return keys.find((key) => context.networks.find(key)?.id === network.id);
}

async function connectLive(
  context: EngineContext,
  network: NetworkRecord,
  container: Container,
  wish: EndpointSettings,
): Promise<void> {
  const { state } = container.record;
  const onto = await context.networkHost.ensure(network);
  requirePresent(context, [network]);
  const old = state.network ?? noNetwork();
  const used = new Set(old.endpoints.map(({ position }) => position));
  const position = [...used, -1].findIndex((_, candidate) => !used.has(candidate));
  const endpoint = takeEndpoint(context, { network, wish }, position, old.endpoints);
  const joined = [...membershipsAt(context, container, old.endpoints), { network, wish }];
  const endpoints = [...old.endpoints, endpoint];
  const gateway = chooseGateway(joined, endpoints);
  const way = endpoints.find(({ id }) => id === gateway);
  state.network = { endpoints, gateway, ports: old.ports.filter((ports) => leadsTo(way, ports)) };
  try {
    if (old.gateway === "" && gateway !== "") state.network.ports = await takePorts(context, container);
    context.table.save(container);
    // Ports that another network leads to from now on.
    await context.networkHost.change(
      "remove",
      without(networkElements(context, old), networkElements(context, state.network), elementKey),
    );
    const links = endpointLinks(network, endpoint, onto, false);
    const plan = new Plan().group("network");
    const elements = networkElements(context, state.network);
    for (const batch of context.networkHost.additions(elements))
      plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, batch], "");
    planDirectPorts(plan, "host", context.networkHost.directPorts.setup("add", elements));
    const namespace = enter(plan, container);
    for (const { message, descriptorAt } of links.host)
      plan.add("host", "netlink", [NETLINK_ROUTE, namespace, descriptorAt, message], "");
    planCarriers(plan, "host", links.carriers);
    context.networkHost.fastPaths.hold([endpoint]);
    planFastPath(plan, "host", fastPathOf(context, endpoint));
    plan.add("host", "setns", [namespace, CLONE_NEWNET], "");
    for (const [name, value] of Object.entries(endpointSysctls(context, [endpoint])))
      plan.add("host", "write_file", [null, `/proc/sys/${name}`, value], "");
    const resolver = resolverEndpoint(context, state.network.endpoints);
    const routes = resolver?.endpoint === endpoint ? resolverRoutes(context, [endpoint]) : [];
    for (const { message } of [...links.inside, ...routes])
      plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], "");
    if (gateway !== old.gateway) {
      const before = old.endpoints.findIndex(({ id }) => id === old.gateway);
      const [home, last] = [joined[before], old.endpoints[before]];
      for (const message of home && last ? noDefaultRoutes(home.network, last) : [])
        plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], "", ESRCH);
      for (const message of gatewayRoutes(joined, state.network))
        plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], "");
    }
    await context.runtime.run(plan);
    context.ports.release(without(old.ports, state.network.ports, portKey));
  } catch (error) {
    const failed = state.network;
    state.network = old;
    context.table.save(container);
    const [begun, kept] = [networkElements(context, failed), networkElements(context, old)];
    await context.networkHost.release(without(begun, kept, elementKey), [endpoint]);
    await context.networkHost.change("add", without(kept, begun, elementKey));
    await context.networkHost.removeLink(endpoint.link);
    context.networks.releaseEndpoint(endpoint);
    context.ports.release(without(failed.ports, old.ports, portKey));
    // Then it gets its link with its next start.
    if (!isGone(error)) throw error;
  }
}

/** Whether a plan came too late: the process that it was to enter has ended, and its namespace with it. */
const isGone = (error: unknown): boolean =>
  error instanceof LaunchError &&
  ["pidfd_open", "openat"].includes(error.step?.op ?? "") &&
  ["ESRCH", "ENOENT"].includes(error.errno);

/** The networks of endpoints with what the container wants in each, in their order. */
function membershipsAt(
  context: EngineContext,
  { record }: Container,
  endpoints: readonly Endpoint[],
): Membership[] {
  return endpoints.flatMap(({ networkId }) => {
    const home = context.networks.find(networkId);
    const wish = home && record.networking.EndpointsConfig?.[home.name];
    return home ? [{ network: home, wish: wish ?? {} }] : [];
  });
}

/** Without an address of a family there is nothing that ports of it could lead to. */
const leadsTo = (way: Endpoint | undefined, { hostIp }: PublishedPorts): boolean =>
  !!(hostIp.includes(":") ? way?.ipv6 : way?.ipv4);

/** Those that are not among others, by what tells them apart. */
function without<T>(all: readonly T[], others: readonly T[], keyOf: (one: T) => string): T[] {
  const known = new Set(others.map(keyOf));
  return all.filter((one) => !known.has(keyOf(one)));
}

const elementKey = ({ set, text }: RuleElement): string => `${set} ${text}`;
const portKey = ({ protocol, hostIp, hostPort }: PublishedPorts): string =>
  `${protocol} ${hostIp} ${hostPort}`;

/** Opens the network namespace of a container's process, which is checked to be the one that was started. */
function enter(plan: Plan, { record, shim }: Container) {
  const process = plan.slot("process");
  const namespace = plan.slot("network-namespace");
  plan.add("host", "pidfd_open", [process, record.state.pid, shim?.startTime ?? 0], "");
  plan.add("host", "openat", [namespace, null, `/proc/${record.state.pid}/ns/net`, O_RDONLY, 0], "");
  return namespace;
}

/** Takes a container out of a network. Throws dockerd's texts. */
export function disconnectContainer(
  context: EngineContext,
  network: NetworkRecord,
  container: Container,
): Promise<void> {
  return container.lock.run(async () => {
    await context.ahead.giveUp(container.id);
    if (network.driver === "host") {
      throw new BerthError(
        "FORBIDDEN",
        "container cannot be disconnected from host network or connected to host network",
      );
    }
    const key = membershipKey(context, container, network);
    if (key === undefined) {
      throw new BerthError(
        "FORBIDDEN",
        `container ${container.id} is not connected to network ${network.name}`,
      );
    }
    if (container.running) refuseMachine(container, "disconnected from");
    await leave(context, network, container, key);
  });
}

async function leave(
  context: EngineContext,
  network: NetworkRecord,
  container: Container,
  key: string | undefined,
): Promise<void> {
  const { record } = container;
  if (container.running) await disconnectLive(context, network, container);
  const configs = { ...record.networking.EndpointsConfig };
  if (key !== undefined) delete configs[key];
  delete configs[network.name];
  record.networking.EndpointsConfig = configs;
  const mode = record.hostConfig.NetworkMode ?? "bridge";
  // The mode names the first network; without it the next one is the first.
  if (context.networks.find(mode)?.id === network.id)
    record.hostConfig.NetworkMode = Object.keys(configs)[0] ?? "none";
  context.table.save(container);
  if (container.running) {
    context.names.changed();
    rewriteNetworkFiles(context, container);
  }
}

/**
 * Ends what a crash cut off in a running container: a connect whose network is not in its configuration
 * yet is undone, a disconnect that took only the link, or only the address, is finished.
 */
export async function settleConnections(
  context: EngineContext,
  container: Container,
  isLink: (name: string) => boolean,
): Promise<void> {
  for (const network of context.networks.all()) {
    const key = membershipKey(context, container, network);
    const endpoint = endpointOf(container, network);
    const linked = endpoint !== undefined && isLink(endpoint.link);
    if (linked ? key !== undefined : key === undefined && !endpoint) continue;
    const hasLink = network.driver !== "host" && network.driver !== "null";
    if (hasLink && !container.record.config.NetworkDisabled) await leave(context, network, container, key);
  }
}

async function disconnectLive(
  context: EngineContext,
  network: NetworkRecord,
  container: Container,
): Promise<void> {
  const { state } = container.record;
  const old = state.network;
  const endpoint = endpointOf(container, network);
  if (!old || !endpoint) return;
  const endpoints = old.endpoints.filter((other) => other !== endpoint);
  const joined = membershipsAt(context, container, endpoints);
  const gateway = old.gateway === endpoint.id ? chooseGateway(joined, endpoints) : old.gateway;
  const way = endpoints.find(({ id }) => id === gateway);
  const next = { endpoints, gateway, ports: old.ports.filter((ports) => leadsTo(way, ports)) };
  const plan = new Plan().group("network");
  const namespace = enter(plan, container);
  plan.add("host", "setns", [namespace, CLONE_NEWNET], "");
  plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, deleteLink(linkNameInside(endpoint))], "", ENODEV);
  const routes = gateway === old.gateway ? [] : gatewayRoutes(joined, next);
  if (resolverEndpoint(context, old.endpoints)?.endpoint === endpoint)
    routes.push(...resolverRoutes(context, endpoints).map(({ message }) => message));
  // What a disconnect before a crash has done already is no failure.
  for (const message of routes) plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], "", EEXIST);
  try {
    await context.runtime.run(plan);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  await context.networkHost.release(networkElements(context, old), [endpoint]);
  state.network = next;
  await context.networkHost.change("add", networkElements(context, next));
  context.table.save(container);
  context.networks.releaseEndpoint(endpoint);
  rewriteNeighbourFiles(context, container, [endpoint]);
  context.ports.release(old.ports.filter((ports) => !leadsTo(way, ports)));
  networkEvent(context, network.id, "disconnect", { container: container.id });
}
