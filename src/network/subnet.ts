import ipaddr from "ipaddr.js";
import { invalid } from "../lib/errors.ts";

/** An address as a number, with its family. */
export interface Address {
  version: 4 | 6;
  value: bigint;
}

export interface Range {
  version: 4 | 6;
  first: bigint;
  last: bigint;
  prefix: number;
}

const bitsOf = (version: 4 | 6): number => (version === 4 ? 32 : 128);

/** Throws INVALID_PARAMETER for what is not an IP address. */
export function parseAddress(text: string): Address {
  if (
    !ipaddr.isValid(text) ||
    (text.includes(".") && !ipaddr.IPv4.isValidFourPartDecimal(text) && !text.includes(":"))
  ) {
    throw invalid(`invalid IP address: ${text}`);
  }
  const parsed = ipaddr.parse(text);
  const value = parsed.toByteArray().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { version: parsed.kind() === "ipv4" ? 4 : 6, value };
}

/** 16 or 4 bytes in network order. */
export function addressBytes({ version, value }: Address): Uint8Array {
  const bytes = new Uint8Array(bitsOf(version) / 8);
  for (let at = bytes.length - 1; at >= 0; at--) {
    bytes[at] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

export const formatAddress = (address: Address): string =>
  ipaddr.fromByteArray([...addressBytes(address)]).toString();

/** The range of a CIDR; throws INVALID_PARAMETER for a malformed one. */
export function parseCidr(text: string): Range {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (!match) throw invalid(`invalid subnet ${text}: invalid CIDR address`);
  const { version, value } = parseAddress(match[1] ?? "");
  const prefix = Number(match[2]);
  const bits = bitsOf(version);
  if (prefix > bits) throw invalid(`invalid subnet ${text}: invalid CIDR block notation`);
  const size = 1n << BigInt(bits - prefix);
  const first = value - (value % size);
  return { version, first, last: first + size - 1n, prefix };
}

export const formatCidr = ({ version, first, prefix }: Range): string =>
  `${formatAddress({ version, value: first })}/${prefix}`;

export const contains = (range: Range, { version, value }: Address): boolean =>
  range.version === version && value >= range.first && value <= range.last;

/** Where addresses are that every link has for itself (RFC 3927, RFC 4291). */
const LINK_LOCAL = { 4: parseCidr("169.254.0.0/16"), 6: parseCidr("fe80::/64") } as const;

/** How long the network part of a link-local address is; undefined when it is none. */
export function linkLocalPrefix(address: Address): number | undefined {
  const range = LINK_LOCAL[address.version];
  return contains(range, address) ? range.prefix : undefined;
}

export const overlap = (a: Range, b: Range): boolean =>
  a.version === b.version && a.first <= b.last && b.first <= a.last;
