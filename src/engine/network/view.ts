import type { NetworkInspect } from "@docker/node-sdk";
import { orNull } from "../../lib/or-null.ts";
import { prefixOf } from "../../network/links.ts";
import type { Endpoint, NetworkRecord } from "../../network/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";

/** The running containers of a network. */
export function endpointsIn(
  context: EngineContext,
  network: NetworkRecord,
): { container: Container; endpoint: Endpoint }[] {
  return context.table.all().flatMap((container) => {
    const endpoint = container.record.state.network?.endpoints.find(
      ({ networkId }) => networkId === network.id,
    );
    return endpoint ? [{ container, endpoint }] : [];
  });
}

/** A network as `docker network inspect` shows it; `full` with those who are in it. */
export function describeNetwork(
  context: EngineContext,
  network: NetworkRecord,
  full: boolean,
): NetworkInspect {
  const cidr = (address: string): string => (address ? `${address}/${prefixOf(network, address)}` : "");
  const members = full ? endpointsIn(context, network) : [];
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: "local",
    Driver: network.driver,
    EnableIPv4: network.ipv4,
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: "default",
      Options: orNull(network.ipamOptions),
      Config: network.subnets.map(({ subnet, gateway, ipRange, auxAddresses }) => ({
        Subnet: subnet,
        ...(ipRange ? { IPRange: ipRange } : {}),
        ...(gateway ? { Gateway: gateway } : {}),
        ...(auxAddresses ? { AuxiliaryAddresses: auxAddresses } : {}),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      members.map(({ container, endpoint }) => [
        container.id,
        {
          Name: container.record.name,
          EndpointID: endpoint.id,
          MacAddress: endpoint.mac,
          IPv4Address: cidr(endpoint.ipv4),
          IPv6Address: cidr(endpoint.ipv6),
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
}
