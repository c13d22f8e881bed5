/** What holds for containers and networks that do not say otherwise; the daemon's flags. */
export interface NetworkDefaults {
  /** For containers that name no servers, options or domains themselves. */
  dns: { servers: string[]; options: string[]; search: string[] };
  /** What `host-gateway` is, at most one address of each family; where a container reaches the host otherwise. */
  hostGateway: string[];
  /** Whether the kernel is told to forward packets. */
  forwarding: boolean;
  /** By driver, options of new networks. */
  options: Record<string, Record<string, string>>;
}

export const networkDefaults: NetworkDefaults = {
  dns: { servers: [], options: [], search: [] },
  hostGateway: [],
  forwarding: true,
  options: {},
};
