import { macBytes } from "../mac.ts";
import { hostU32 } from "../netlink/message.ts";
import { addressBytes, parseAddress } from "../subnet.ts";
import type { Endpoint } from "../types.ts";

/** As it is in a packet. */
export const ETHERTYPE = { 4: Buffer.of(0x08, 0x00), 6: Buffer.of(0x86, 0xdd) } as const;
/** A key is the type of an IP packet and one of its addresses, with zeros behind. */
export const KEY = { type: 0, address: 4, size: 20 } as const;
/** A value is the index of the link on the host that leads to the address, and its hardware address. */
export const VALUE = { link: 0, mac: 4, size: 12 } as const;

export interface FastPathEntry {
  key: Buffer;
  value: Buffer;
}

/** What a network's map has of an endpoint whose link on the host has the index. */
export function fastPathEntries({ mac, ipv4, ipv6 }: Endpoint, index: number): FastPathEntry[] {
  const value = Buffer.alloc(VALUE.size);
  value.set(hostU32(index), VALUE.link);
  value.set(macBytes(mac), VALUE.mac);
  return [ipv4, ipv6].filter(Boolean).map((address) => ({ key: keyOf(address), value }));
}

function keyOf(text: string): Buffer {
  const address = parseAddress(text);
  const key = Buffer.alloc(KEY.size);
  key.set(ETHERTYPE[address.version], KEY.type);
  key.set(addressBytes(address), KEY.address);
  return key;
}
