import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";
import { address, truth } from "./flag-values.ts";

/** dockerd's flags of networking that are not of the default network alone. */
export const networkFlags = {
  dns: { type: "string", multiple: true },
  "dns-opt": { type: "string", multiple: true },
  "dns-search": { type: "string", multiple: true },
  "host-gateway-ip": { type: "string", multiple: true },
  "default-network-opt": { type: "string", multiple: true },
  // With a value or without: true or false.
  "ip-forward": { type: "string" },
  iptables: { type: "string" },
  ip6tables: { type: "string" },
  "userland-proxy": { type: "string" },
  "userland-proxy-path": { type: "string" },
} as const;

export const networkSwitches = ["--ip-forward", "--iptables", "--ip6tables", "--userland-proxy"];

/** What holds for containers and networks that do not say otherwise; the engine checks what options mean. */
export interface NetworkFlags {
  dns: { servers: string[]; options: string[]; search: string[] };
  /** What `host-gateway` is, at most one address of each family. */
  hostGateway: string[];
  /** Whether the kernel is told to forward packets. */
  forwarding: boolean;
  /** By driver, those of new networks. */
  options: Record<string, Record<string, string>>;
}

type Values = {
  [name in keyof typeof networkFlags]?: (typeof networkFlags)[name] extends { multiple: true }
    ? string[] | undefined
    : string | undefined;
};

/** Throws INVALID_PARAMETER, also for what would take away what networks are made of. */
export function networkFlagValues(values: Values): NetworkFlags {
  for (const name of ["iptables", "ip6tables"] as const)
    if (truth(name, values[name]) === false)
      throw invalid(
        `--${name}=false: published ports, name servers and what keeps networks apart are nftables rules, so ` +
          "there is no network without them. They are in tables of their own and change no other program's",
      );
  // There is no proxy, and nothing differs without one.
  truth("userland-proxy", values["userland-proxy"]);
  const gateways = values["host-gateway-ip"] ?? [];
  for (const gateway of gateways) address("host-gateway-ip", gateway);
  if (new Set(gateways.map(isIP)).size < gateways.length)
    throw invalid("--host-gateway-ip takes at most one IPv4 and one IPv6 address");
  const servers = values.dns ?? [];
  for (const server of servers) address("dns", server);
  return {
    dns: { servers, options: values["dns-opt"] ?? [], search: values["dns-search"] ?? [] },
    hostGateway: gateways,
    forwarding: truth("ip-forward", values["ip-forward"]) ?? true,
    options: driverOptions(values["default-network-opt"] ?? []),
  };
}

/** "driver=option=value" each. */
function driverOptions(texts: readonly string[]): NetworkFlags["options"] {
  const options: NetworkFlags["options"] = {};
  for (const text of texts) {
    const [, driver = "", option = "", value = ""] = /^([^=]+)=([^=]+)=(.*)$/.exec(text) ?? [];
    if (driver === "") throw invalid(`invalid default network option ${text}: driver=option=value`);
    options[driver] = { ...options[driver], [option]: value };
  }
  return options;
}
