import { macBytes } from "../mac.ts";
import { hostU32 } from "../netlink/message.ts";
import { addressBytes, parseAddress } from "../subnet.ts";
import type { Endpoint } from "../types.ts";

/** As it is in a packet. */
export const ETHERTYPE = { 4: Buffer.of(0x08, 0x00), 6: Buffer.of(0x86, 0xdd) } as const;
/**
 * A network's map is an array, which a program reads at next to no cost. It has so many places for each family;
 * the last bits of an address say which. Of two with the same ones the later has it, and the other goes without
 * the fast path.
 */
export const PLACES = 2048;
/** Where the places of a family begin. */
export const FIRST_PLACE = { 4: 0, 6: PLACES } as const;
/** The type of packets as in them, an address with zeros behind, the index of the link on the host, its hardware address. */
export const ENTRY = { type: 0, address: 4, link: 20, mac: 24, size: 32 } as const;

export interface FastPathEntry {
  place: number;
  value: Buffer;
}

/** What is in a place that nobody has. */
export const nothing = Buffer.alloc(ENTRY.size);

/** What a network's map has of an endpoint whose link on the host has the index. */
export function fastPathEntries({ mac, ipv4, ipv6 }: Endpoint, index: number): FastPathEntry[] {
  return [ipv4, ipv6].filter(Boolean).map((text) => {
    const address = parseAddress(text);
    const value = Buffer.alloc(ENTRY.size);
    value.set(ETHERTYPE[address.version], ENTRY.type);
    value.set(addressBytes(address), ENTRY.address);
    value.set(hostU32(index), ENTRY.link);
    value.set(macBytes(mac), ENTRY.mac);
    return { place: placeOf(text), value };
  });
}

function placeOf(text: string): number {
  const { version, value } = parseAddress(text);
  return FIRST_PLACE[version] + Number(value % BigInt(PLACES));
}

/** The places of an endpoint's addresses. */
export const placesOf = ({ ipv4, ipv6 }: Endpoint): number[] => [ipv4, ipv6].filter(Boolean).map(placeOf);
