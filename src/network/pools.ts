import { createHash } from "node:crypto";
import { invalid } from "../lib/errors.ts";
import { hostRoutes } from "./host-routes.ts";
import { formatCidr, overlap, parseCidr, type Range } from "./subnet.ts";

/** Where subnets are taken from when none is asked for: `base` cut into pieces of prefix `size`. */
export interface AddressPool {
  base: string;
  size: number;
}

/** Docker's own. */
export const defaultPools: readonly AddressPool[] = [
  { base: "172.17.0.0/16", size: 16 },
  { base: "172.18.0.0/16", size: 16 },
  { base: "172.19.0.0/16", size: 16 },
  { base: "172.20.0.0/14", size: 16 },
  { base: "172.24.0.0/14", size: 16 },
  { base: "172.28.0.0/14", size: 16 },
  { base: "192.168.0.0/16", size: 20 },
];

/** Reads "base=10.0.0.0/8,size=24", as dockerd's --default-address-pool. Throws INVALID_PARAMETER. */
export function parsePool(text: string): AddressPool {
  const fields = new Map(text.split(",").map((field) => field.split("=", 2) as [string, string]));
  const base = fields.get("base") ?? "";
  const size = Number(fields.get("size"));
  const range = parseCidr(base);
  if (!Number.isInteger(size) || size < range.prefix || size > (range.version === 4 ? 30 : 126)) {
    throw invalid(`invalid default address pool: ${text}`);
  }
  return { base, size };
}

/**
 * A piece of the pools that overlaps neither the host's routes nor `taken`. `start` (0 to 1) is where the
 * search begins. Throws INVALID_PARAMETER when there is none.
 */
export function freeSubnet(pools: readonly AddressPool[], taken: readonly Range[], start = 0): string {
  const used = [...hostRoutes().map(({ range }) => range), ...taken];
  const candidates = pools.flatMap(pieces);
  const first = Math.floor(start * candidates.length);
  for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
    if (!used.some((range) => overlap(range, candidate))) return formatCidr(candidate);
  }
  throw invalid("all predefined address pools have been fully subnetted");
}

/** As many pieces as anybody needs of one pool. */
const MOST_PIECES = 4096;

function pieces({ base, size }: AddressPool): Range[] {
  const { version, first, prefix } = parseCidr(base);
  const step = 1n << BigInt((version === 4 ? 32 : 128) - size);
  const count = Math.min(MOST_PIECES, 2 ** (size - prefix));
  return Array.from({ length: count }, (_, at) => {
    const begin = first + BigInt(at) * step;
    return { version, first: begin, last: begin + step - 1n, prefix: size };
  });
}

/** A unique local IPv6 subnet (RFC 4193) for a network, from its id. */
export function uniqueLocalSubnet(id: string): string {
  const hash = createHash("sha256").update(id).digest("hex");
  const groups = [`fd${hash.slice(0, 2)}`, hash.slice(2, 6), hash.slice(6, 10), hash.slice(10, 14)];
  return `${groups.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}
