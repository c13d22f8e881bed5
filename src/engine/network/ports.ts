import type { HostConfig, PortBinding } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { networkOptions } from "../../network/options.ts";
import type { PortWish } from "../../network/ports/allocator.ts";
import { parseAddress } from "../../network/subnet.ts";
import type { Endpoint, NetworkRecord, Protocol, PublishedPorts } from "../../network/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";

/** Takes the host's ports for everything a container publishes. Throws dockerd's texts. */
export async function publishedPorts(
  context: EngineContext,
  container: Container,
  network: NetworkRecord,
  endpoint: Endpoint,
): Promise<PublishedPorts[]> {
  const wishes = portWishes(container, network, endpoint);
  if (wishes.length === 0) return [];
  return context.ports.take(wishes, (hostIp) =>
    hostIp.includes(":") ? `[${endpoint.ipv6}]` : endpoint.ipv4,
  );
}

function portWishes(container: Container, network: NetworkRecord, endpoint: Endpoint): PortWish[] {
  const { config, hostConfig } = container.record;
  const bindings: Record<string, PortBinding[]> = {};
  for (const [port, list] of Object.entries(hostConfig.PortBindings ?? {}))
    bindings[port] = list?.length ? list : [{ HostIp: "", HostPort: "" }];
  if (hostConfig.PublishAllPorts)
    for (const port of Object.keys(config.ExposedPorts ?? {}))
      bindings[port] ??= [{ HostIp: "", HostPort: "" }];
  const sorted = Object.entries(bindings).map(([port, list]) => ({ ...parsePort(port), list }));
  sorted.sort((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port);
  return sorted.flatMap(({ protocol, port, list }) =>
    list.flatMap((binding) => {
      const [hostFirst, hostLast] = hostRange(binding.HostPort ?? "");
      const hostIps = hostAddresses(binding.HostIp ?? "", network, endpoint);
      return hostIps.length > 0 ? [{ protocol, containerPort: port, hostIps, hostFirst, hostLast }] : [];
    }),
  );
}

/** "80/tcp"; tcp when it is not said. Throws INVALID_PARAMETER. */
export function parsePort(text: string): { port: number; protocol: Protocol } {
  const [number = "", protocol = "tcp"] = text.split("/");
  if (!/^\d+$/.test(number) || Number(number) > 65535) throw invalid(`invalid port specification: "${text}"`);
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp")
    throw invalid(`invalid proto: ${protocol}`);
  return { port: Number(number), protocol };
}

/** Throws for bindings that could never be taken, which dockerd says when the container is created. */
export function checkPortBindings(bindings: HostConfig["PortBindings"]): void {
  for (const [port, list] of Object.entries(bindings ?? {})) {
    parsePort(port);
    for (const { HostPort = "" } of list ?? []) hostRange(HostPort);
  }
}

function hostRange(text: string): [number, number] {
  if (text === "") return [0, 0];
  const [first = "", last = first] = text.split("-");
  const range: [number, number] = [Number(first), Number(last)];
  if (![first, last].every((part) => /^\d+$/.test(part)) || range[1] < range[0] || range[1] > 65535) {
    throw invalid(`invalid port specification: "${text}"`);
  }
  return range;
}

/** The addresses that a binding means: those of both families that the container has, unless it says one. */
function hostAddresses(given: string, network: NetworkRecord, endpoint: Endpoint): string[] {
  const ip = given || networkOptions(network).bindAddress;
  if (given.includes(":") && endpoint.ipv6 === "" && checked(given))
    throw invalid(
      `cannot publish a port on ${given}: the container has no IPv6 address (make its network with --ipv6)`,
    );
  if (ip !== "" && ip !== "0.0.0.0") return [checked(ip)].filter((address) => reaches(address, endpoint));
  const both = given === "" ? ["0.0.0.0", "::"] : ["0.0.0.0"];
  return both.filter((address) => reaches(address, endpoint));
}

const reaches = (address: string, { ipv4, ipv6 }: Endpoint): boolean =>
  (address.includes(":") ? ipv6 : ipv4) !== "";

function checked(ip: string): string {
  parseAddress(ip);
  return ip;
}
