import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RESOLVER } from "../../network/links.ts";
import { sharesLink } from "../../network/parents.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerRecord } from "../record.ts";
import type { NetworkFiles } from "../spec/mounts.ts";
import { sharedWith } from "../spec/namespaces.ts";
import { resolverEndpoint } from "./attach.ts";
import { liveLinks } from "./links.ts";
import { dnsNames, hasNames, hostResolver, hostServers } from "./names.ts";
import { endpointsIn } from "./view.ts";

/** Every container's directory of network files; below the exec root, since each start writes them anew. */
export const networkDirectory = (context: EngineContext): string => join(context.execRoot, "network");

/** Where a container's own /etc/hostname, /etc/hosts and /etc/resolv.conf are on the host. */
export function networkFiles(context: EngineContext, id: string): NetworkFiles {
  const directory = join(networkDirectory(context), id);
  return {
    hostname: join(directory, "hostname"),
    hosts: join(directory, "hosts"),
    resolvConf: join(directory, "resolv.conf"),
  };
}

/** Writes them for a start. */
export function writeNetworkFiles(context: EngineContext, container: Container): void {
  const { config, hostConfig } = container.record;
  const files = networkFiles(context, container.id);
  mkdirSync(dirname(files.hostname), { recursive: true, mode: 0o711 });
  const other = sharedWith(hostConfig.NetworkMode);
  const owner = other === null ? null : context.table.find(other);
  // One network, one set of names.
  const source = owner && networkFiles(context, owner.id);
  writeFileSync(files.hostname, source ? readFileSync(source.hostname) : `${config.Hostname}\n`);
  writeFileSync(files.hosts, source ? readFileSync(source.hosts) : hosts(context, container));
  writeFileSync(files.resolvConf, source ? readFileSync(source.resolvConf) : resolvConf(context, container));
}

/** Brings those of a running container up to date, in place: they are mounted. */
export function rewriteNetworkFiles(context: EngineContext, container: Container): void {
  const files = networkFiles(context, container.id);
  writeFileSync(files.hosts, hosts(context, container));
  writeFileSync(files.resolvConf, resolvConf(context, container));
}

function hosts(context: EngineContext, container: Container): string {
  const { hostConfig } = container.record;
  const extra = extraHosts(context, container);
  if (hostConfig.NetworkMode === "host") return [hostFile("/etc/hosts").trimEnd(), ...extra, ""].join("\n");
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...extra,
    ...linkedHosts(context, container),
    ...neighbourHosts(context, container),
    ...ownHosts(container),
  ];
  return `${lines.join("\n")}\n`;
}

function extraHosts(context: EngineContext, { record }: Container): string[] {
  return (record.hostConfig.ExtraHosts ?? []).flatMap((entry) => {
    const at = entry.search(/[:=]/);
    if (at <= 0) return [];
    const [name, address] = [entry.slice(0, at), entry.slice(at + 1)];
    if (address !== "host-gateway") return [`${address.replace(/^\[(.*)\]$/, "$1")}\t${name}`];
    return hostGateways(context, record).map((gateway) => `${gateway}\t${name}`);
  });
}

/** Where a container reaches the host: at its own bridge, which is there as long as it runs. */
function hostGateways(context: EngineContext, { state }: ContainerRecord): string[] {
  const own = (state.network?.endpoints ?? []).map(({ networkId }) => context.networks.find(networkId));
  const { hostGateway } = context.networkDefaults;
  if (hostGateway.length > 0) return hostGateway;
  const bridge = own.find((network) => network?.driver === "bridge") ?? context.networks.find("bridge");
  return bridge?.subnets.map(({ gateway }) => gateway) ?? [];
}

/** No name server of ours is in reach of a macvlan or ipvlan: the file tells who else is there. */
function neighbourHosts(context: EngineContext, container: Container): string[] {
  const endpoints = container.record.state.network?.endpoints ?? [];
  if (resolverEndpoint(context, endpoints)) return [];
  return endpoints.flatMap(({ networkId }) => {
    const network = context.networks.find(networkId);
    if (!network || !sharesLink(network)) return [];
    return endpointsIn(context, network)
      .filter((member) => member.container !== container)
      .flatMap((member) => {
        const wish = member.container.record.networking.EndpointsConfig?.[network.name] ?? {};
        const names = dnsNames(member.container, network, wish).join(" ");
        const { ipv4, ipv6 } = member.endpoint;
        return [ipv4, ipv6].filter(Boolean).map((address) => `${address}\t${names}`);
      });
  });
}

/** Tells the others of a macvlan or ipvlan that somebody came, went or has another name. */
export function rewriteNeighbourFiles(
  context: EngineContext,
  container: Container,
  endpoints = container.record.state.network?.endpoints ?? [],
): void {
  for (const { networkId } of endpoints) {
    const network = context.networks.find(networkId);
    if (!network || !sharesLink(network)) continue;
    for (const member of endpointsIn(context, network))
      if (member.container !== container && member.container.running)
        rewriteNetworkFiles(context, member.container);
  }
}

/** The default bridge has no name server: those that are linked to are told by the file. */
function linkedHosts(context: EngineContext, container: Container): string[] {
  return liveLinks(context, container).map(({ alias, address, other }) => {
    const names = new Set([alias, other.config.Hostname ?? "", other.name]);
    return `${address}\t${[...names].filter(Boolean).join(" ")}`;
  });
}

/** Tells those who are linked to a container that has just started its new address. */
export function rewriteLinkedFiles(context: EngineContext, { id }: Container): void {
  for (const other of context.table.linking(id)) if (other.running) rewriteNetworkFiles(context, other);
}

function ownHosts({ record }: Container): string[] {
  const { Hostname = "", Domainname } = record.config;
  const names = Domainname ? `${Hostname}.${Domainname} ${Hostname}` : Hostname;
  const endpoints = record.state.network?.endpoints ?? [];
  return endpoints
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .filter(Boolean)
    .map((address) => `${address}\t${names}`);
}

const orElse = (given: string[] | undefined, otherwise: string[]): string[] =>
  given && given.length > 0 ? given : otherwise;

function resolvConf(context: EngineContext, container: Container): string {
  const { hostConfig, state } = container.record;
  const { dns } = context.networkDefaults;
  const [Dns, DnsSearch, DnsOptions] = [
    orElse(hostConfig.Dns, dns.servers),
    orElse(hostConfig.DnsSearch, dns.search),
    orElse(hostConfig.DnsOptions, dns.options),
  ];
  const given = Dns.length > 0 || DnsSearch.length > 0 || DnsOptions.length > 0;
  const host = hostResolver();
  // A dot alone is how one asks for no list at all.
  const search =
    DnsSearch.length > 0 ? DnsSearch.filter((domain) => domain !== ".") : wordsOf(host, "search");
  const options = DnsOptions.length > 0 ? [...DnsOptions] : wordsOf(host, "options");
  if (!state.network)
    return given ? render({ servers: Dns.length > 0 ? Dns : hostServers(), search, options }) : host;
  const networks = state.network.endpoints.flatMap(({ networkId }) => context.networks.find(networkId) ?? []);
  const bridges = networks.filter(({ driver }) => driver === "bridge");
  const named = bridges.filter(hasNames);
  // A loopback server of the host is out of a container's reach: ours asks it in its place.
  const reachable = hostServers().filter((server) => !/^(127\.|::1$)/.test(server));
  const through = named.length > 0 ? named : reachable.length === 0 ? bridges.slice(0, 1) : [];
  const gateways = through.flatMap(({ subnets }) => subnets.map(({ gateway }) => gateway)).filter(Boolean);
  const servers = resolverEndpoint(context, state.network.endpoints) ? [RESOLVER] : gateways;
  if (named.length > 0) {
    if (!options.some((option) => option.startsWith("ndots:"))) options.push("ndots:0");
    return render({ servers, search, options });
  }
  return render({
    servers: Dns.length > 0 ? Dns : reachable.length > 0 ? reachable : gateways,
    search,
    options,
  });
}

const wordsOf = (file: string, keyword: string): string[] =>
  [...file.matchAll(new RegExp(`^${keyword}\\s+(.*)$`, "gm"))].flatMap(([, words = ""]) =>
    words.split(/\s+/).filter(Boolean),
  );

function render({
  servers,
  search,
  options,
}: {
  servers: string[];
  search: string[];
  options: string[];
}): string {
  const lines = [
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...servers.map((address) => `nameserver ${address}`),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function hostFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
