import { BerthError, invalid } from "../lib/errors.ts";
import { contains, formatCidr, parseAddress, parseCidr, type Range } from "./subnet.ts";
import type { Subnet } from "./types.ts";

/** One entry of IPAM.Config as a client gives it. */
export interface SubnetRequest {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

/** Checks what a client wants of subnets. Throws INVALID_PARAMETER with all that is wrong, as dockerd. */
export function checkSubnets(requests: readonly SubnetRequest[]): void {
  const faults = requests.flatMap(faultsOf);
  if (faults.length > 0) throw invalid(`invalid network config:\n${faults.join("\n")}`);
  for (const request of requests) checkReserved(toSubnet(request), request.Gateway);
}

/** Gateway and auxiliary addresses each are another one, and none that stands for the network or for all in it. */
function checkReserved({ subnet, gateway, auxAddresses = {} }: Subnet, asked = ""): void {
  const range = parseCidr(subnet);
  const { value } = parseAddress(gateway);
  // IPv6 has no broadcast address.
  const taken = new Set(range.version === 4 ? [range.first, range.last] : [range.first]);
  if (taken.has(value) || !contains(range, { version: range.version, value })) {
    const why = asked === "" ? "No available addresses on this pool" : "Address already in use";
    throw new BerthError("FORBIDDEN", `failed to allocate gateway (${asked}): ${why}`);
  }
  taken.add(value);
  for (const [name, address] of Object.entries(auxAddresses)) {
    const { value } = parseAddress(address);
    if (taken.has(value))
      throw new BerthError(
        "FORBIDDEN",
        `failed to allocate secondary ip address (${name}:${address}): Address already in use`,
      );
    taken.add(value);
  }
}

function faultsOf({ Subnet = "", IPRange, Gateway, AuxiliaryAddresses = {} }: SubnetRequest): string[] {
  const subnet = tryParse(() => parseCidr(Subnet));
  if (!subnet) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
  const faults: string[] = [];
  if (formatCidr(subnet) !== canonical(Subnet))
    faults.push(`invalid subnet ${Subnet}: it should be ${formatCidr(subnet)}`);
  if (IPRange) faults.push(...rangeFaults(subnet, Subnet, IPRange));
  if (Gateway) faults.push(...addressFaults("gateway", subnet, Subnet, Gateway));
  for (const address of Object.values(AuxiliaryAddresses))
    faults.push(...addressFaults("auxiliary address", subnet, Subnet, address));
  return faults;
}

/** The CIDR with its address in the usual spelling but its host bits left. */
function canonical(text: string): string {
  const [address = "", prefix] = text.split("/");
  const { version, value } = parseAddress(address);
  return formatCidr({ version, first: value, last: value, prefix: Number(prefix) });
}

function rangeFaults(subnet: Range, subnetText: string, text: string): string[] {
  const what = `invalid ip-range ${text}`;
  const range = tryParse(() => parseCidr(text));
  if (!range) return [`${what}: invalid CIDR block notation`];
  if (range.version !== subnet.version) return [`${what}: parent subnet is an IPv${subnet.version} block`];
  const faults: string[] = [];
  if (range.prefix < subnet.prefix)
    faults.push(`${what}: CIDR block is bigger than its parent subnet ${subnetText}`);
  if (formatCidr(range) !== canonical(text)) faults.push(`${what}: it should be ${formatCidr(range)}`);
  if (!contains(subnet, { version: range.version, value: range.first }))
    faults.push(`${what}: parent subnet ${subnetText} doesn't contain ip-range`);
  return faults;
}

function addressFaults(kind: string, subnet: Range, subnetText: string, text: string): string[] {
  const what = `invalid ${kind} ${text}`;
  const address = tryParse(() => parseAddress(text));
  if (!address) return [`${what}: invalid address`];
  if (address.version !== subnet.version) return [`${what}: parent subnet is an IPv${subnet.version} block`];
  if (!contains(subnet, address))
    return [`${what}: parent subnet ${subnetText} doesn't contain this address`];
  return [];
}

function tryParse<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}

/** A request with its gateway filled in: the first address of the range unless it is given. */
export function toSubnet(request: SubnetRequest): Subnet {
  const text = request.Subnet ?? "";
  const range = parseCidr(text);
  const { version, value } = { version: range.version, value: range.first + 1n };
  const first = formatCidr({ version, first: value, last: value, prefix: 0 }).split("/")[0] ?? "";
  return {
    subnet: formatCidr(range),
    gateway: request.Gateway || first,
    ...(request.IPRange ? { ipRange: request.IPRange } : {}),
    ...(Object.keys(request.AuxiliaryAddresses ?? {}).length > 0
      ? { auxAddresses: request.AuxiliaryAddresses }
      : {}),
  };
}
