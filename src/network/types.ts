/** One address range of a network. */
export interface Subnet {
  /** CIDR, e.g. 172.18.0.0/16. */
  subnet: string;
  /** Empty without one. */
  gateway: string;
  /** Addresses are handed out from this part only. */
  ipRange?: string;
  /** Addresses that others hold. */
  auxAddresses?: Record<string, string>;
}

export type DriverName = "bridge" | "host" | "null" | "macvlan" | "ipvlan";

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
  /** Empty for the default bridge until its first use. */
  subnets: Subnet[];
  /** As the user gave them, e.g. com.docker.network.driver.mtu. */
  options: Record<string, string>;
  ipamOptions: Record<string, string> | null;
  labels: Record<string, string>;
  /** The default network's subnets were said to the daemon, and are not chosen anew. */
  fixedSubnets?: boolean;
  /** The bridge's link name on the host; empty for other drivers. */
  bridge: string;
  /** It was there before the network, so it stays after it. */
  foreignBridge?: boolean;
  /** The link that a macvlan or ipvlan is on was made for it, so it goes with it. */
  ownsParent?: boolean;
}

/** A container's place in a network while it runs. */
export interface Endpoint {
  id: string;
  networkId: string;
  /** aa:bb:cc:dd:ee:ff; empty where the link has its parent's. */
  mac: string;
  /** Without a prefix; empty when the network has no such addresses. */
  ipv4: string;
  ipv6: string;
  /** Further addresses, of 169.254.0.0/16 and fe80::/64, that are of no subnet. */
  linkLocal?: string[];
  /** The link's name on the host; empty when it has none there. */
  link: string;
  /** Which of the container's links it is. */
  position: number;
  /** What it is called inside when that is not `eth<position>`. */
  name?: string;
  /** Switches of the kernel for it, by their paths below /proc/sys. */
  sysctls?: Record<string, string> | undefined;
}

/** Whether an endpoint has an address of IPv6, if only a link-local one. */
export const usesIpv6 = ({ ipv6, linkLocal = [] }: Endpoint): boolean =>
  ipv6 !== "" || linkLocal.some((address) => address.includes(":"));

/** What a container asks of an endpoint. */
export interface EndpointWish {
  ipv4?: string;
  ipv6?: string;
  linkLocal?: string[];
  mac?: string;
  /** How its link is called inside. */
  name?: string;
  sysctls?: Endpoint["sysctls"];
}

export type Protocol = "tcp" | "udp" | "sctp";

/** Neighbouring ports of the host that lead to as many neighbouring ports of a container. */
export interface PublishedPorts {
  protocol: Protocol;
  /** 0.0.0.0 or :: for every address. */
  hostIp: string;
  hostPort: number;
  containerPort: number;
  count: number;
}
