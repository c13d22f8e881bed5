import type { EndpointSettings } from "@docker/node-sdk";
import { CliError } from "../errors.ts";
import { parseCsv } from "./csv.ts";

/** One `--network`, in the short or the long form. */
interface NetworkOption {
  target: string;
  aliases: string[];
  links: string[];
  ipv4: string;
  ipv6: string;
  linkLocal: string[];
  mac: string;
  driverOptions: Record<string, string>;
  gatewayPriority: number;
}

/** The flags that say more about the first network. */
export interface FirstNetwork {
  aliases: readonly string[];
  links: readonly string[];
  ipv4: string;
  ipv6: string;
  linkLocal: readonly string[];
  mac: string;
}

/** Checks a `--network` value as it is read; throws an Error. */
export function checkNetwork(value: string): string {
  parseNetwork(value);
  return value;
}

function parseNetwork(value: string): NetworkOption {
  const network: NetworkOption = {
    target: value,
    aliases: [],
    links: [],
    ipv4: "",
    ipv6: "",
    linkLocal: [],
    mac: "",
    driverOptions: {},
    gatewayPriority: 0,
  };
  if (!/^[\w-]+=/.test(value) && !value.includes(",")) return network;
  network.target = "";
  for (const field of parseCsv(value)) {
    const equals = field.indexOf("=");
    if (equals < 0) throw new Error(`invalid field ${field}`);
    const key = field.slice(0, equals).trim().toLowerCase();
    const content = field.slice(equals + 1).trim();
    if (key === "name") network.target = content;
    else if (key === "alias") network.aliases.push(content);
    else if (key === "ip") network.ipv4 = content;
    else if (key === "ip6") network.ipv6 = content;
    else if (key === "mac-address") network.mac = content;
    else if (key === "link-local-ip") network.linkLocal.push(content);
    else if (key === "driver-opt") {
      const at = content.indexOf("=");
      if (at < 0) throw new Error("invalid key value pair format in driver options");
      network.driverOptions[content.slice(0, at).trim().toLowerCase()] = content.slice(at + 1).trim();
    } else if (key === "gw-priority") {
      if (!/^-?\d+$/.test(content)) throw new Error(`invalid gw-priority (${content}): invalid syntax`);
      network.gatewayPriority = Number(content);
    } else throw new Error(`invalid field key ${key}`);
  }
  if (network.target === "") throw new Error("network name/id is not specified");
  return network;
}

const builtIn = (target: string): boolean =>
  ["", "default", "bridge", "host", "none"].includes(target) || target.startsWith("container:");

/** The network mode and the endpoints that `--network` and its companions ask for. Throws `CliError`. */
export function parseNetworks(
  specs: readonly string[],
  first: FirstNetwork,
): { mode: string; endpoints: Record<string, EndpointSettings> } {
  const networks = specs.length > 0 ? specs.map(parseNetwork) : [parseNetwork("default")];
  const endpoints: Record<string, EndpointSettings> = {};
  for (const [i, network] of networks.entries()) {
    if (i === 0) applyFirst(network, first);
    const endpoint = toEndpoint(network);
    if (endpoints[network.target])
      throw new CliError(`network ${JSON.stringify(network.target)} is specified multiple times`);
    if (networks.length > 1 || Object.keys(endpoint).length > 0) endpoints[network.target] = endpoint;
  }
  const [{ target = "default" } = {}] = networks;
  if (networks.some((n) => builtIn(n.target)) && networks.some((n) => !builtIn(n.target)))
    throw new CliError(
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  return { mode: target, endpoints };
}

function applyFirst(network: NetworkOption, first: FirstNetwork): void {
  const conflict = (flag: string, what: string): never => {
    throw new CliError(`conflicting options: cannot specify both ${flag} and per-network ${what}`);
  };
  if (network.aliases.length > 0 && first.aliases.length > 0) conflict("--network-alias", "alias");
  if (network.ipv4 && first.ipv4) conflict("--ip", "IPv4 address");
  if (network.ipv6 && first.ipv6) conflict("--ip6", "IPv6 address");
  if (network.mac && first.mac) conflict("--mac-address", "MAC address");
  if (network.linkLocal.length > 0 && first.linkLocal.length > 0)
    conflict("--link-local-ip", "link-local IP addresses");
  network.aliases.push(...first.aliases);
  network.linkLocal.push(...first.linkLocal);
  if (!builtIn(network.target)) network.links.push(...first.links);
  network.ipv4 ||= first.ipv4;
  network.ipv6 ||= first.ipv6;
  network.mac ||= first.mac;
}

function toEndpoint(network: NetworkOption): EndpointSettings {
  if (network.target.trim() === "") throw new CliError("no name set for network");
  if (builtIn(network.target) && network.aliases.length > 0)
    throw new CliError("network-scoped aliases are only supported for user-defined networks");
  const endpoint: EndpointSettings = {};
  if (network.aliases.length > 0) endpoint.Aliases = network.aliases;
  if (network.links.length > 0) endpoint.Links = network.links;
  if (Object.keys(network.driverOptions).length > 0) endpoint.DriverOpts = network.driverOptions;
  if (network.mac) endpoint.MacAddress = network.mac;
  if (network.gatewayPriority !== 0) endpoint.GwPriority = network.gatewayPriority;
  if (network.ipv4 || network.ipv6 || network.linkLocal.length > 0)
    endpoint.IPAMConfig = {
      ...(network.ipv4 ? { IPv4Address: network.ipv4 } : {}),
      ...(network.ipv6 ? { IPv6Address: network.ipv6 } : {}),
      ...(network.linkLocal.length > 0 ? { LinkLocalIPs: network.linkLocal } : {}),
    };
  return endpoint;
}
