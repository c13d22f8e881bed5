import { readFileSync } from "node:fs";
import type { EndpointSettings } from "@docker/node-sdk";
import { shortId } from "../../lib/ids.ts";
import type { Logger } from "../../lib/log.ts";
import type { Names } from "../../network/dns/answer.ts";
import { NameServer } from "../../network/dns/server.ts";
import type { NetworkStore } from "../../network/store.ts";
import type { NetworkRecord } from "../../network/types.ts";
import type { Container } from "../container.ts";
import type { ContainerTable } from "../table.ts";
import { parseLink } from "./links.ts";

/** Whether containers find each other by name in a network: in all that a user made. */
export const hasNames = ({ name, driver }: NetworkRecord): boolean =>
  name !== "bridge" && driver !== "host" && driver !== "null";

/** By what names a container is found in a network: its own, its aliases, its short id, its host name. */
export function dnsNames(container: Container, network: NetworkRecord, wish: EndpointSettings): string[] {
  if (!hasNames(network)) return [];
  const { name, config, id } = container.record;
  return [...new Set([name, ...(wish.Aliases ?? []), shortId(id), config.Hostname ?? ""])].filter(Boolean);
}

/** The names of one network: each with the addresses of those who have it. */
interface Directory {
  byName: Map<string, string[]>;
  byAddress: Map<string, string>;
}

export interface NameDirectoryOptions {
  store: NetworkStore;
  table: ContainerTable;
  log: Logger;
  /** Those that containers ask which name none. */
  servers: readonly string[];
}

/** Names of containers in their networks, and the servers that tell them. */
export class NameDirectory implements Names {
  readonly #options: NameDirectoryOptions;
  readonly #servers = new Map<string, NameServer>();
  readonly #directories = new Map<string, Directory>();
  readonly #clients = new Map<string, Container>();
  #stale = true;

  constructor(options: NameDirectoryOptions) {
    this.#options = options;
  }

  /** Containers came, went or got other names: what is known is read anew at the next question. */
  changed(): void {
    this.#stale = true;
  }

  /** Serves names on a network's gateway addresses, if it is not done yet. */
  async serve(network: NetworkRecord): Promise<void> {
    for (const { gateway } of network.subnets) {
      if (gateway === "" || this.#servers.has(gateway)) continue;
      try {
        this.#servers.set(gateway, await NameServer.listen(this, gateway));
      } catch (error) {
        // Another name server listens on all of the host's addresses.
        this.#options.log.warn("containers of a network cannot ask for names", {
          network: network.name,
          address: gateway,
          error: String(error),
        });
      }
    }
  }

  unserve(network: NetworkRecord): void {
    for (const { gateway } of network.subnets) {
      this.#servers.get(gateway)?.close();
      this.#servers.delete(gateway);
    }
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }

  /** The addresses of a name in the first of the client's networks that has it. */
  lookup(client: string, name: string): string[] | undefined {
    this.#refresh();
    const wanted = name.toLowerCase();
    for (const [network, { byName }] of this.#directoriesOf(client)) {
      const suffix = `.${network.name.toLowerCase()}`;
      const found =
        this.#links(client, network, wanted) ??
        byName.get(wanted) ??
        (wanted.endsWith(suffix) ? byName.get(wanted.slice(0, -suffix.length)) : undefined);
      if (found) return found;
    }
    return undefined;
  }

  /** A name that the client alone has for another: "other:alias" in its links. */
  #links(client: string, network: NetworkRecord, name: string): string[] | undefined {
    const { networking } = this.#clients.get(client)?.record ?? {};
    const links = networking?.EndpointsConfig?.[network.name]?.Links ?? [];
    const link = links.map(parseLink).find(({ alias }) => alias.toLowerCase() === name);
    return link && this.#directories.get(network.id)?.byName.get(link.target.toLowerCase());
  }

  reverse(client: string, address: string): string[] | undefined {
    this.#refresh();
    for (const [network, { byAddress }] of this.#directoriesOf(client)) {
      const name = byAddress.get(address);
      if (name) return [`${name}.${network.name}`];
    }
    return undefined;
  }

  upstream(client: string): string[] {
    this.#refresh();
    const container = this.#clients.get(client);
    if (!container) return [];
    const { networks = [], own } = this.#networksOf(container);
    if (networks.length > 0 && networks.every(({ internal }) => internal)) return [];
    if (own.length > 0) return own;
    return this.#options.servers.length > 0 ? [...this.#options.servers] : hostServers();
  }

  #networksOf({ record }: Container): { networks: NetworkRecord[]; own: string[] } {
    const ids = record.state.network?.endpoints.map(({ networkId }) => networkId) ?? [];
    const networks = ids.flatMap((id) => this.#options.store.find(id) ?? []);
    return { networks, own: record.hostConfig.Dns ?? [] };
  }

  #directoriesOf(client: string): [NetworkRecord, Directory][] {
    const container = this.#clients.get(client);
    if (!container) return [];
    return this.#networksOf(container).networks.flatMap((network) => {
      const directory = this.#directories.get(network.id);
      return directory ? [[network, directory] as [NetworkRecord, Directory]] : [];
    });
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.#directories.clear();
    this.#clients.clear();
    for (const container of this.#options.table.all()) {
      for (const { networkId, ipv4, ipv6 } of container.record.state.network?.endpoints ?? []) {
        const network = this.#options.store.find(networkId);
        const addresses = [ipv4, ipv6].filter(Boolean);
        for (const address of addresses) this.#clients.set(address, container);
        if (network && hasNames(network)) this.#enter(container, network, addresses);
      }
    }
  }

  #enter(container: Container, network: NetworkRecord, addresses: string[]): void {
    let directory = this.#directories.get(network.id);
    if (!directory) {
      directory = { byName: new Map(), byAddress: new Map() };
      this.#directories.set(network.id, directory);
    }
    const wish = container.record.networking.EndpointsConfig?.[network.name] ?? {};
    for (const name of dnsNames(container, network, wish)) {
      const key = name.toLowerCase();
      const known = directory.byName.get(key);
      if (known) known.push(...addresses);
      else directory.byName.set(key, [...addresses]);
    }
    for (const address of addresses) directory.byAddress.set(address, container.record.name);
  }
}

/** The name servers that the host asks (resolv.conf(5)). */
export function hostServers(): string[] {
  return [...hostResolver().matchAll(/^nameserver\s+(\S+)/gm)].flatMap(([, server]) => server ?? []);
}

export function hostResolver(): string {
  try {
    return readFileSync("/etc/resolv.conf", "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
