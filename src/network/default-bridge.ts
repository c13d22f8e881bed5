import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";
import { checkSubnets, type SubnetRequest, toSubnet } from "./ipam.ts";
import { DEFAULT_GATEWAY } from "./links.ts";
import { uniqueLocalSubnet } from "./pools.ts";
import { formatCidr, parseAddress, parseCidr } from "./subnet.ts";
import type { NetworkRecord, Subnet } from "./types.ts";

/** What dockerd's flags of the same names say of the default network; all may be missing. */
export interface DefaultBridgeOptions {
  /** A bridge that is there, to be used instead of one of its own; "none" for no default network. */
  bridge?: string | undefined;
  /** Address and subnet of the bridge, as 10.1.0.1/24. */
  bip?: string | undefined;
  /** Where containers' addresses are from; without `bip` it is the subnet too. */
  fixedCidr?: string | undefined;
  fixedCidrV6?: string | undefined;
  ipv6?: boolean | undefined;
  defaultGateway?: string | undefined;
  defaultGatewayV6?: string | undefined;
  mtu?: number | undefined;
  icc?: boolean | undefined;
  ipMasq?: boolean | undefined;
  /** The address that ports are published on which name none. */
  ip?: string | undefined;
}

/**
 * Makes the default network what was asked for. While its addresses are `used` they stay; answers whether
 * that is as asked for all the same. Throws INVALID_PARAMETER.
 */
export function configureDefaultBridge(
  network: NetworkRecord,
  wanted: DefaultBridgeOptions & { bridge: string; foreign: boolean },
  used: boolean,
): boolean {
  const subnets = defaultSubnets(wanted);
  const ipv6 = wanted.ipv6 ?? false;
  const { bridge, foreign } = wanted;
  network.options = defaultBridgeOptions(wanted, used ? network.bridge : bridge);
  if (used)
    return (
      bridge === network.bridge && ipv6 === network.ipv6 && subnets.every((subnet) => has(network, subnet))
    );
  Object.assign(network, { bridge, foreignBridge: foreign });
  const fixed = subnets.some(isIpv4);
  // One that was chosen may go on; one that an earlier daemon was told not.
  const before = fixed || network.fixedSubnets ? [] : network.subnets.filter(isIpv4);
  const chosen = ipv6 && subnets.every(isIpv4) ? [toSubnet({ Subnet: uniqueLocalSubnet(network.id) })] : [];
  Object.assign(network, { ipv6, fixedSubnets: fixed, subnets: [...before, ...subnets, ...chosen] });
  return true;
}

const isIpv4 = ({ subnet }: Subnet): boolean => !subnet.includes(":");

const has = (network: NetworkRecord, wanted: Subnet): boolean =>
  network.subnets.some((subnet) => JSON.stringify(subnet) === JSON.stringify(wanted));

/** Whether the default network has no IPv4 subnet yet: it is chosen when its bridge is made. */
export const lacksSubnet = ({ name, subnets }: NetworkRecord): boolean =>
  name === "bridge" && !subnets.some(isIpv4);

/** The subnets that were asked for. Throws INVALID_PARAMETER. */
export function defaultSubnets(options: DefaultBridgeOptions): Subnet[] {
  const requests = [ipv4Request(options), ipv6Request(options)].filter((request) => request !== undefined);
  checkSubnets(requests);
  return requests.map(toSubnet);
}

function ipv4Request({ bip, fixedCidr, defaultGateway }: DefaultBridgeOptions): SubnetRequest | undefined {
  if (bip === undefined && fixedCidr === undefined) {
    if (defaultGateway !== undefined) throw invalid("--default-gateway needs --bip, of whose subnet it is");
    return undefined;
  }
  const subnet = bip ?? fixedCidr ?? "";
  const range = cidr(subnet, 4);
  const [gateway = ""] = (bip ?? "").split("/");
  if (bip !== undefined && [range.first, range.last].includes(parseAddress(gateway).value)) {
    throw invalid(`failed to allocate gateway (${gateway}): Address already in use`);
  }
  return {
    Subnet: formatCidr(range),
    ...(bip !== undefined ? { Gateway: gateway } : {}),
    ...(bip !== undefined && fixedCidr !== undefined ? { IPRange: formatCidr(cidr(fixedCidr, 4)) } : {}),
    ...wayOut(4, defaultGateway),
  };
}

function ipv6Request({
  ipv6,
  fixedCidrV6,
  defaultGatewayV6,
}: DefaultBridgeOptions): SubnetRequest | undefined {
  if (!ipv6 || fixedCidrV6 === undefined) {
    if (defaultGatewayV6 !== undefined)
      throw invalid("--default-gateway-v6 needs --ipv6 and --fixed-cidr-v6, of which it is");
    return undefined;
  }
  return { Subnet: formatCidr(cidr(fixedCidrV6, 6)), ...wayOut(6, defaultGatewayV6) };
}

function wayOut(version: 4 | 6, address: string | undefined): Pick<SubnetRequest, "AuxiliaryAddresses"> {
  if (address === undefined) return {};
  if (isIP(address) !== version)
    throw invalid(`invalid default gateway ${address}: no IPv${version} address`);
  return { AuxiliaryAddresses: { [DEFAULT_GATEWAY[version]]: address } };
}

function cidr(text: string, version: 4 | 6) {
  const [address = "", prefix] = text.split("/");
  if (isIP(address) !== version || prefix === undefined) throw invalid(`invalid CIDR address: ${text}`);
  return parseCidr(text);
}

/** The options of the default network. */
export const defaultBridgeOptions = (
  { mtu = 1500, icc = true, ipMasq = true, ip = "0.0.0.0" }: DefaultBridgeOptions,
  bridge: string,
): Record<string, string> => ({
  "com.docker.network.bridge.default_bridge": "true",
  "com.docker.network.bridge.enable_icc": String(icc),
  "com.docker.network.bridge.enable_ip_masquerade": String(ipMasq),
  "com.docker.network.bridge.host_binding_ipv4": ip,
  "com.docker.network.bridge.name": bridge,
  "com.docker.network.driver.mtu": String(mtu),
});
