import { toBytes } from "../byte-text.ts";
import { blockSize, type TarEntry, typeFlags } from "./entry.ts";

/** What `tarHeader` needs; the rest has defaults: mode 0644 (directories 0755), owner 0:0, time 0. */
export type TarEntryInit = Pick<TarEntry, "name"> & Partial<TarEntry>;

/** The end of an archive: two blocks of zeros. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;
const fits = (value: number, width: number): boolean => value < 8 ** (width - 1);
const ascii = /^[\x20-\x7e]*$/;

/**
 * The header blocks of one member, ustar with a pax extended header for what ustar cannot say (POSIX.1
 * pax). The same entry always gives the same bytes. Its data must follow, padded to whole blocks.
 */
export function tarHeader(init: TarEntryInit): Buffer {
  const entry = complete(init);
  const records = extendedRecords(entry);
  const seconds = entry.mtime / 1_000_000_000n;
  const header = ustarBlock(entry, typeFlags[entry.type], {
    name: asciiTail(entry.name),
    linkname: asciiTail(entry.linkname),
    mtime: seconds < 0n || !fits(Number(seconds), 12) ? 0 : Number(seconds),
  });
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const pax = complete({ name: `PaxHeaders.0/${asciiTail(entry.name).slice(0, 80)}`, size: body.length });
  const fill = Buffer.alloc((blockSize - (body.length % blockSize)) % blockSize);
  return Buffer.concat([
    ustarBlock(pax, "x", { name: pax.name, linkname: "", mtime: 0 }),
    body,
    fill,
    header,
  ]);
}

function complete(init: TarEntryInit): TarEntry {
  const type = init.type ?? "file";
  return {
    type,
    size: 0,
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: 0n,
    linkname: "",
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...init,
  };
}

/** What fits the header's own field, for readers that know no pax. */
function asciiTail(text: string): string {
  return Array.from(text, (c) => (ascii.test(c) ? c : "_"))
    .join("")
    .slice(-100);
}

function extendedRecords(entry: TarEntry): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: string | Buffer): void => void records.push(paxRecord(key, value));
  if (entry.name.length > 100 || !ascii.test(entry.name)) add("path", entry.name);
  if (entry.linkname.length > 100 || !ascii.test(entry.linkname)) add("linkpath", entry.linkname);
  if (!fits(entry.size, 12)) add("size", String(entry.size));
  if (!fits(entry.uid, 8)) add("uid", String(entry.uid));
  if (!fits(entry.gid, 8)) add("gid", String(entry.gid));
  if (entry.mtime % 1_000_000_000n !== 0n || entry.mtime < 0n) add("mtime", paxTime(entry.mtime));
  for (const name of [...entry.xattrs.keys()].sort()) {
    add(`SCHILY.xattr.${name}`, entry.xattrs.get(name) ?? Buffer.alloc(0));
  }
  return records;
}

function paxTime(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? "-" : "";
  const absolute = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (absolute % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${sign}${absolute / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

/** "<length> <key>=<value>\n", where the length counts its own digits. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`),
    typeof value === "string" ? toBytes(value) : value,
    Buffer.from("\n"),
  ]);
  let length = rest.length + 1;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function ustarBlock(
  entry: TarEntry,
  flag: string,
  fields: { name: string; linkname: string; mtime: number },
): Buffer {
  const block = Buffer.alloc(blockSize);
  const clamp = (value: number, width: number): number => (fits(value, width) ? value : 0);
  block.write(fields.name, 0, 100, "latin1");
  block.write(octal(entry.mode, 8), 100, "latin1");
  block.write(octal(clamp(entry.uid, 8), 8), 108, "latin1");
  block.write(octal(clamp(entry.gid, 8), 8), 116, "latin1");
  block.write(octal(clamp(entry.size, 12), 12), 124, "latin1");
  block.write(octal(fields.mtime, 12), 136, "latin1");
  block.write("        ", 148, "latin1");
  block.write(flag, 156, "latin1");
  block.write(fields.linkname, 157, 100, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  block.write(octal(clamp(entry.major, 8), 8), 329, "latin1");
  block.write(octal(clamp(entry.minor, 8), 8), 337, "latin1");
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
