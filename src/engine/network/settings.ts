import type { ContainerSummary, EndpointSettings, NetworkSettings, PortBinding } from "@docker/node-sdk";
import { orNull } from "../../lib/or-null.ts";
import { ZERO_TIME } from "../../lib/time.ts";
import { gatewayOf, prefixOf } from "../../network/links.ts";
import type { Endpoint, NetworkRecord, PublishedPorts } from "../../network/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";

import { dnsNames } from "./names.ts";
import { parsePort } from "./ports.ts";

/** What the API says of a container's networks. */
export function networkSettings(context: EngineContext, container: Container): NetworkSettings {
  const { state } = container.record;
  const networks = endpointSettings(context, container);
  const onBridge = networks.bridge;
  return {
    Bridge: "",
    SandboxID: container.running ? container.id : "",
    SandboxKey: container.running ? `/proc/${state.pid}/ns/net` : "",
    Ports: container.running ? portMap(container) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onBridge?.EndpointID ?? "",
    Gateway: onBridge?.Gateway ?? "",
    GlobalIPv6Address: onBridge?.GlobalIPv6Address ?? "",
    GlobalIPv6PrefixLen: onBridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: onBridge?.IPAddress ?? "",
    IPPrefixLen: onBridge?.IPPrefixLen ?? 0,
    IPv6Gateway: onBridge?.IPv6Gateway ?? "",
    MacAddress: onBridge?.MacAddress ?? "",
    Networks: networks,
  };
}

/** The names of a container's networks; one that is gone has the name it was asked for by. */
export function networkNames(context: EngineContext, container: Container): string[] {
  return Object.keys(endpointSettings(context, container));
}

function endpointSettings(context: EngineContext, container: Container): Record<string, EndpointSettings> {
  const { networking, hostConfig, state } = container.record;
  const mode = hostConfig.NetworkMode ?? "bridge";
  if (mode.startsWith("container:")) return {};
  const settings: Record<string, EndpointSettings> = {};
  for (const [name, wish] of Object.entries({ [mode]: {}, ...networking.EndpointsConfig })) {
    const network = context.networks.find(name);
    const endpoint = state.network?.endpoints.find(({ networkId }) => networkId === network?.id);
    settings[network?.name ?? name] = settingsOf({ container, wish: wish ?? {}, network, endpoint });
  }
  return settings;
}

function settingsOf(options: {
  container: Container;
  wish: EndpointSettings;
  network: NetworkRecord | undefined;
  endpoint: Endpoint | undefined;
}): EndpointSettings {
  const { container, wish, network, endpoint } = options;
  const names = network ? dnsNames(container, network, wish) : [];
  const address = (text: string | undefined): string => text ?? "";
  return {
    IPAMConfig: wish.IPAMConfig ?? null,
    Links: orNull(wish.Links?.length ? wish.Links : null),
    Aliases: orNull(wish.Aliases?.length ? wish.Aliases : null),
    MacAddress: endpoint?.mac || wish.MacAddress || "",
    DriverOpts: orNull(wish.DriverOpts ?? null),
    GwPriority: wish.GwPriority ?? 0,
    // Known from the first start on, as dockerd has it.
    NetworkID: network && (endpoint || container.record.state.startedAt !== ZERO_TIME) ? network.id : "",
    EndpointID: endpoint?.id ?? "",
    Gateway: endpoint?.ipv4 && network ? gatewayOf(network, 4) : "",
    IPAddress: address(endpoint?.ipv4),
    IPPrefixLen: endpoint?.ipv4 && network ? prefixOf(network, endpoint.ipv4) : 0,
    IPv6Gateway: endpoint?.ipv6 && network ? gatewayOf(network, 6) : "",
    GlobalIPv6Address: address(endpoint?.ipv6),
    GlobalIPv6PrefixLen: endpoint?.ipv6 && network ? prefixOf(network, endpoint.ipv6) : 0,
    DNSNames: orNull(names.length > 0 ? names : null),
  };
}

/** Every exposed or published port of a running container; null where it is not published. */
function portMap(container: Container): NonNullable<NetworkSettings["Ports"]> {
  const { config, hostConfig, state } = container.record;
  const map: Record<string, PortBinding[] | null> = {};
  if (!state.network) return {};
  for (const port of [
    ...Object.keys(config.ExposedPorts ?? {}),
    ...Object.keys(hostConfig.PortBindings ?? {}),
  ]) {
    const { port: number, protocol } = parsePort(port);
    map[`${number}/${protocol}`] = null;
  }
  for (const { containerPort, hostPort, protocol, hostIp } of single(state.network.ports)) {
    const key = `${containerPort}/${protocol}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return map as NonNullable<NetworkSettings["Ports"]>;
}

function single(ports: readonly PublishedPorts[]): PublishedPorts[] {
  return ports.flatMap((range) =>
    Array.from({ length: range.count }, (_, at) => ({
      ...range,
      hostPort: range.hostPort + at,
      containerPort: range.containerPort + at,
      count: 1,
    })),
  );
}

/** The ports of a row of `docker ps`. */
export function summaryPorts(container: Container): ContainerSummary["Ports"] {
  const { config, state } = container.record;
  if (!container.running || !state.network) return [];
  const published = single(state.network.ports);
  const known = new Set(published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const closed = Object.keys(config.ExposedPorts ?? {})
    .map(parsePort)
    .filter(({ port, protocol }) => !known.has(`${port}/${protocol}`));
  return [
    ...closed.map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol })),
    ...published.map(({ hostIp, hostPort, containerPort, protocol }) => ({
      IP: hostIp,
      PrivatePort: containerPort,
      PublicPort: hostPort,
      Type: protocol,
    })),
  ];
}
