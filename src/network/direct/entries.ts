import { addressBytes, parseAddress } from "../subnet.ts";
import type { PublishedPorts } from "../types.ts";

/**
 * What a connection asked for: the last word of the address as in a packet (zero for any of 127.0.0.0/8), the
 * port likewise, the IP version.
 */
export const KEY = { address: 0, port: 4, version: 6, size: 8 } as const;
/** Where it goes: an address as IPv6 has it, mapped when it is one of IPv4, and the port. */
export const TARGET = { address: 0, port: 16, size: 20 } as const;
/** What a socket remembers: what it asked for and where it went; of addresses the last words. */
export const MEMORY = { asked: 0, askedPort: 4, address: 8, port: 12, size: 16 } as const;
/** More than these go through the rules. */
export const MOST_ENTRIES = 8192;

export interface DirectEntry {
  key: Buffer;
  value: Buffer;
}

const LOOPBACK6 = "::1";

/** What leads connections from the host's loopback to a port of a container; undefined where rules alone do. */
export function directEntry(
  { protocol, hostIp, hostPort, containerPort }: PublishedPorts,
  target: string,
): DirectEntry | undefined {
  if (protocol !== "tcp") return undefined;
  const asked = askedAddress(hostIp);
  if (asked === undefined) return undefined;
  const key = Buffer.alloc(KEY.size);
  key.set(addressBytes(parseAddress(asked)).subarray(-4), KEY.address);
  key.writeUInt16BE(hostPort, KEY.port);
  key.writeUInt16LE(asked.includes(":") ? 6 : 4, KEY.version);
  const value = Buffer.alloc(TARGET.size);
  value.set(addressBytes(parseAddress(target.includes(":") ? target : `::ffff:${target}`)), TARGET.address);
  value.writeUInt16BE(containerPort, TARGET.port);
  return { key, value };
}

/** The loopback address that leads to an address that a port is published on; undefined for one elsewhere. */
function askedAddress(hostIp: string): string | undefined {
  if (hostIp === "::" || hostIp === LOOPBACK6) return LOOPBACK6;
  return hostIp === "0.0.0.0" || hostIp.startsWith("127.") ? hostIp : undefined;
}

/** The type of a socket's memory, as BTF has it (type 2, of type 1). */
export function memoryType(): Buffer {
  const [INT, ARRAY] = [1, 3];
  const words = [...[0, INT << 24, 4, 32], ...[0, ARRAY << 24, 0, 1, 1, MEMORY.size / 4]];
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  const strings = Buffer.of(0, 0x75, 0);
  [header.length, 0, words.length * 4, words.length * 4, strings.length].forEach((value, at) => {
    header.writeUInt32LE(value, 4 + at * 4);
  });
  words[0] = 1;
  const types = Buffer.alloc(words.length * 4);
  words.forEach((value, at) => {
    types.writeUInt32LE(value, at * 4);
  });
  return Buffer.concat([header, types, strings]);
}
