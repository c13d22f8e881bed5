import { invalid } from "./errors.ts";

const units: Record<string, number> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes from "10m", "1.5g", "64kb", "100": Docker's binary units. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgtp]?)i?b?$/i.exec(text.trim());
  if (!match) throw invalid(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** (units[(match[2] || "b").toLowerCase()] ?? 0));
}

/** A sum of file sizes as the database can give it back: files with holes may be larger than any disk. */
export const countable = (bytes: number): number => Math.min(bytes, Number.MAX_SAFE_INTEGER);
