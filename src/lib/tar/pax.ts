import { toText } from "../byte-text.ts";
import { type TarEntry, TarError } from "./entry.ts";

const xattrPrefix = "SCHILY.xattr.";
const space = 0x20;
const equals = 0x3d;
const newline = 0x0a;

/** The records of an extended header, "<length> <key>=<value>\n" each (POSIX.1 pax). */
export function* parsePax(data: Buffer): Generator<[string, Buffer]> {
  let at = 0;
  while (at < data.length) {
    const gap = data.indexOf(space, at);
    const digits = gap < 0 ? "" : data.toString("latin1", at, Math.min(gap, at + 20));
    if (!/^[1-9][0-9]*$/.test(digits)) throw new TarError("invalid extended tar header");
    const end = at + Number(digits);
    const sign = data.indexOf(equals, gap);
    if (end > data.length || sign < 0 || sign >= end || data[end - 1] !== newline) {
      throw new TarError("invalid extended tar header");
    }
    yield [data.toString("utf8", gap + 1, sign), data.subarray(sign + 1, end - 1)];
    at = end;
  }
}

/** Lets the records of an extended header override what the header itself says. */
export function applyPax(entry: TarEntry, records: Map<string, Buffer>): void {
  for (const [key, value] of records) {
    // An empty value takes an earlier one back.
    if (value.length === 0 && !key.startsWith(xattrPrefix)) continue;
    if (key === "path") entry.name = toText(value);
    else if (key === "linkpath") entry.linkname = toText(value);
    else if (key === "size" && entry.type === "file") entry.size = integer(value);
    else if (key === "uid") entry.uid = integer(value);
    else if (key === "gid") entry.gid = integer(value);
    else if (key === "mtime") entry.mtime = time(value);
    else if (key.startsWith(xattrPrefix)) entry.xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value));
  }
  if (entry.name.includes("\0") || entry.linkname.includes("\0")) {
    throw new TarError("a path in a tar header holds a zero byte");
  }
}

function integer(value: Buffer): number {
  const text = value.toString("latin1");
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number))
    throw new TarError("invalid extended tar header");
  return number;
}

function time(value: Buffer): bigint {
  const parts = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (!parts) throw new TarError("invalid extended tar header");
  const fraction = (parts[3] ?? "").slice(0, 9).padEnd(9, "0");
  const nanoseconds = BigInt(parts[2] ?? "0") * 1_000_000_000n + BigInt(fraction);
  return parts[1] === "-" ? -nanoseconds : nanoseconds;
}
