import { createHash } from "node:crypto";
import { invalid } from "../lib/errors.ts";
import { addressBytes, parseAddress } from "./subnet.ts";

/** Throws INVALID_PARAMETER with Go's words for what is not a 48-bit hardware address. */
export function macBytes(text: string): Buffer {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) throw invalid(`address ${text}: invalid MAC address`);
  return Buffer.from(text.replace(/[:-]/g, ""), "hex");
}

const format = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

/** As it is written everywhere: lower case, colons. */
export const normalizeMac = (text: string): string => format(macBytes(text));

/**
 * A locally administered address that follows from the IP address, so that neighbours who remember an
 * address's last holder reach the next one too.
 */
export function macFor(address: string): string {
  const bytes = addressBytes(parseAddress(address));
  const tail = bytes.length === 4 ? bytes : createHash("sha256").update(bytes).digest().subarray(0, 4);
  return format(Uint8Array.of(0x02, 0x42, ...tail));
}
