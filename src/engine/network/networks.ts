import type {
  EndpointSettings,
  NetworkCreateRequest,
  NetworkInspect,
  NetworkPruneResponse,
} from "@docker/node-sdk";
import { BerthError, invalid, notFound } from "../../lib/errors.ts";
import { orNull } from "../../lib/or-null.ts";
import { isBridge, linkIndex } from "../../network/bridge.ts";
import { isPredefined } from "../../network/store.ts";
import type { NetworkRecord } from "../../network/types.ts";
import type { EngineContext } from "../context.ts";
import type { Filters, Networks } from "../types.ts";
import { connectContainer, disconnectContainer } from "./connect.ts";
import { networkEvent } from "./events.ts";
import { compileNetworkFilters, compilePruneFilters } from "./filters.ts";
import { describeNetwork, endpointsIn } from "./view.ts";

/** The verbs of networks. */
export class NetworkVerbs implements Networks {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async list(filters: Filters = {}): Promise<NetworkInspect[]> {
    const test = compileNetworkFilters(filters, (network) => endpointsIn(this.#context, network).length > 0);
    return this.#context.networks
      .all()
      .filter(test)
      .map((network) => describeNetwork(this.#context, network, false));
  }

  async inspect(ref: string): Promise<NetworkInspect> {
    return describeNetwork(this.#context, this.#context.networks.get(ref), true);
  }

  async create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
    const { networks, networkHost, networkDefaults } = this.#context;
    if (request.ConfigOnly || request.ConfigFrom?.Network) {
      throw invalid("configuration-only networks are of swarm mode, which does not exist here");
    }
    if (request.Ingress || request.Scope === "swarm") throw swarmOnly();
    const driver = request.Driver || "bridge";
    const network = networks.create({
      name: request.Name ?? "",
      driver,
      internal: request.Internal,
      attachable: request.Attachable,
      ipv4: request.EnableIPv4,
      ipv6: request.EnableIPv6,
      ipamDriver: request.IPAM?.Driver,
      ipamOptions: request.IPAM?.Options,
      subnets: request.IPAM?.Config,
      options: { ...networkDefaults.options[driver], ...request.Options },
      labels: request.Labels,
    });
    try {
      if (
        network.driver === "bridge" &&
        linkIndex(network.bridge) !== undefined &&
        isBridge(network.bridge)
      ) {
        network.foreignBridge = true;
        networks.save(network);
      }
      await networkHost.ensure(network);
    } catch (error) {
      await networks.remove(network, () => networkHost.remove(network));
      throw error;
    }
    networkEvent(this.#context, network.id, "create");
    return { Id: network.id, Warning: "" };
  }

  async connect(ref: string, container: string, wish: EndpointSettings = {}): Promise<void> {
    const network = this.#context.networks.get(ref);
    await connectContainer(this.#context, network, this.#context.table.get(container), wish);
  }

  async disconnect(ref: string, container: string, options: { force?: boolean } = {}): Promise<void> {
    const network = this.#context.networks.get(ref);
    const found = this.#context.table.find(container);
    if (!found && options.force) throw notFound(`endpoint ${container} not found`);
    await disconnectContainer(this.#context, network, found ?? this.#context.table.get(container));
  }

  async remove(ref: string): Promise<void> {
    const network = this.#context.networks.get(ref);
    if (isPredefined(network)) {
      throw new BerthError("FORBIDDEN", `${network.name} is a pre-defined network and cannot be removed`);
    }
    const active = endpointsIn(this.#context, network).map(
      ({ container, endpoint }) => `name:"${container.record.name}" id:"${endpoint.id.slice(0, 12)}"`,
    );
    if (active.length > 0) {
      throw new BerthError(
        "FORBIDDEN",
        `error while removing network: network ${network.name} has active endpoints (${active.join(", ")})`,
      );
    }
    await this.#remove(network);
  }

  async #remove(network: NetworkRecord): Promise<void> {
    const { networks, networkHost } = this.#context;
    await networks.remove(network, async () => {
      await networkHost.remove(network);
      networkEvent(this.#context, network.id, "destroy");
    });
  }

  async repair(): Promise<void> {
    const found = this.#context.networks.all().map((network) => {
      const endpoints = endpointsIn(this.#context, network).map(({ endpoint }) => endpoint);
      return [network.id, endpoints] as const;
    });
    await this.#context.networkHost.repair(new Map(found));
  }

  async prune(filters: Filters = {}): Promise<NetworkPruneResponse> {
    const test = compilePruneFilters(filters);
    const deleted: string[] = [];
    for (const network of this.#context.networks.all()) {
      if (isPredefined(network) || !test(network) || endpointsIn(this.#context, network).length > 0) continue;
      await this.#remove(network);
      deleted.push(network.name);
    }
    this.#context.events.publish("network", "prune", "", { reclaimed: "0" });
    return { NetworksDeleted: orNull(deleted.length > 0 ? deleted : null) };
  }
}

const swarmOnly = (): BerthError =>
  new BerthError(
    "UNAVAILABLE",
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
