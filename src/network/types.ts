import type { Network, NetworkCreateRequest } from "@docker/node-sdk";

/** One address range of a network. */
export interface Subnet {
  /** CIDR, e.g. 172.18.0.0/16. */
  subnet: string;
  gateway: string;
  /** Addresses are handed out from this part only. */
  ipRange?: string;
  /** Addresses that others hold. */
  auxAddresses?: Record<string, string>;
}

export type DriverName = "bridge" | "host" | "null";

/** A network as it is kept; one JSON document in the database. */
export interface NetworkRecord {
  id: string;
  name: string;
  created: string;
  driver: DriverName;
  internal: boolean;
  attachable: boolean;
  ipv4: boolean;
  ipv6: boolean;
  subnets: Subnet[];
  /** As the user gave them, e.g. com.docker.network.driver.mtu. */
  options: Record<string, string>;
  ipamOptions: Record<string, string>;
  labels: Record<string, string>;
  /** The bridge's link name on the host; empty without one. */
  bridge: string;
}

/** A container's place in a network while it runs. */
export interface Endpoint {
  id: string;
  networkId: string;
  /** aa:bb:cc:dd:ee:ff */
  mac: string;
  ipv4: string;
  ipv4Prefix: number;
  ipv6: string;
  ipv6Prefix: number;
  /** The link's name on the host; inside it is eth0, eth1… */
  link: string;
}

/** What a container asks of an endpoint. */
export interface EndpointWish {
  ipv4?: string;
  ipv6?: string;
  mac?: string;
}

export type { Network, NetworkCreateRequest };
