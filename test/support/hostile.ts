// Archives that try to break out, to lie or to exhaust, made by code.
import { gzipSync } from "node:zlib";
import { type TarEntryInit, tarEnd, tarHeader } from "../../src/lib/tar/write.ts";
import { tarOf } from "./images.ts";

export interface HostileLayer {
  name: string;
  archive: Buffer;
  /** What the refusal says; absent for archives that are harmless once contained. */
  refused?: RegExp;
}

/** Where escapes aim at, from the top of a layer. */
export interface Target {
  /** Absolute path of a directory outside of the layer. */
  directory: string;
}

const up = "../../../../../../../../../..";
const link = (name: string, linkname: string): TarEntryInit => ({ name, type: "symlink", linkname });
const hard = (name: string, linkname: string): TarEntryInit => ({ name, type: "link", linkname });
const xattr = (name: string, value: string) => new Map([[name, Buffer.from(value)]]);

/** Layers whose paths and links lead out. */
export function escapes({ directory }: Target): HostileLayer[] {
  const file = { data: "escaped" };
  return [
    { name: "dot-dot", archive: tarOf([{ name: `${up}${directory}/x`, ...file }]), refused: /outside/ },
    {
      name: "dot-dot after a directory",
      archive: tarOf([{ name: `a/../${up}${directory}/x`, ...file }]),
      refused: /outside/,
    },
    { name: "absolute", archive: tarOf([{ name: `${directory}/x`, ...file }]) },
    {
      name: "link up",
      archive: tarOf([link("l", `${up}${directory}`), { name: "l/x", ...file }]),
      refused: /parent/,
    },
    {
      name: "absolute link",
      archive: tarOf([link("l", directory), { name: "l/x", ...file }]),
      refused: /parent/,
    },
    { name: "link to the root", archive: tarOf([link("l", "/"), { name: `l${directory}/x`, ...file }]) },
    {
      name: "links in a chain",
      archive: tarOf([link("a", up), link("b", "a/.."), { name: `b${directory}/x`, ...file }]),
    },
    {
      name: "link over itself",
      archive: tarOf([link("l", "l"), { name: "l/x", ...file }]),
      refused: /parent/,
    },
    {
      name: "a directory becomes a link",
      archive: tarOf([
        { name: "d/", type: "directory" },
        { name: "d/x", ...file },
        link("d", directory),
        { name: "d/x", ...file },
      ]),
      refused: /parent/,
    },
    {
      name: "a remembered directory becomes a link",
      archive: tarOf([
        { name: "t/", type: "directory" },
        { name: "t/u/x", ...file },
        link("t", "/"),
        { name: `t/u/x`, ...file },
      ]),
    },
    {
      name: "a directory's attributes through a link",
      archive: tarOf([link("l", directory), { name: "l/", type: "directory", mode: 0o777, uid: 1234 }]),
    },
    { name: "hard link up", archive: tarOf([hard("h", `${up}${directory}/secret`)]), refused: /outside/ },
    {
      name: "hard link out",
      archive: tarOf([hard("h", `${directory}/secret`)]),
      refused: /parent|hard link/,
    },
    {
      name: "hard link through a link",
      archive: tarOf([link("l", directory), hard("h", "l/secret")]),
      refused: /parent|hard link/,
    },
    {
      name: "hard link to a link, then written",
      archive: tarOf([link("l", `${directory}/x`), hard("h", "l"), { name: "h", ...file }]),
    },
    { name: "hard link to the root", archive: tarOf([hard("h", ".")]), refused: /root/ },
    {
      name: "whiteout of the parent",
      archive: tarOf([{ name: "a/.wh..." }, { name: ".wh..", data: "" }]),
      refused: /whiteout/,
    },
    {
      name: "whiteout through a link",
      archive: tarOf([link("l", directory), { name: "l/.wh.secret" }]),
      refused: /parent/,
    },
    {
      name: "the root is a file",
      archive: tarOf([
        { name: "./", ...file, type: "file" },
        { name: ".", ...file },
      ]),
      refused: /root/,
    },
  ];
}

/** Layers with things that must not act on the host or steer the mount. */
export function devices(): HostileLayer[] {
  return [
    {
      name: "device nodes",
      archive: tarOf([
        { name: "mem", type: "character", major: 1, minor: 1, mode: 0o666 },
        { name: "disk", type: "block", major: 254, minor: 0, mode: 0o666 },
        { name: "pipe", type: "fifo" },
      ]),
    },
    {
      name: "a device, then written as a file",
      archive: tarOf([
        { name: "null", type: "block", major: 254, minor: 0 },
        { name: "null", data: "x" },
      ]),
    },
    {
      name: "overlayfs's own attributes",
      archive: tarOf([
        { name: "d/", type: "directory", xattrs: xattr("user.overlay.redirect", "/etc") },
        { name: "e/", type: "directory", xattrs: xattr("trusted.overlay.opaque", "y") },
        { name: "f", data: "f", xattrs: xattr("security.selinux", "x") },
      ]),
    },
  ];
}

function raw(init: TarEntryInit, change: (header: Buffer) => void): Buffer {
  const header = tarHeader(init);
  change(header);
  header.write("        ", 148, "latin1");
  let sum = 0;
  for (const byte of header.subarray(0, 512)) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** A record of an extended header, with the length it should have. */
function record(text: string): string {
  let length = text.length + 3;
  while (`${length} ${text}\n`.length !== length) length = `${length} ${text}\n`.length;
  return `${length} ${text}\n`;
}

function pax(records: string): Buffer {
  const body = Buffer.from(records);
  const header = raw({ name: "p", size: body.length }, (bytes) => bytes.write("x", 156, "latin1"));
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const end = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, tarEnd]);

/** Layers that are damaged, or promise what they do not hold. */
export function damaged(): HostileLayer[] {
  const good = tarOf([
    { name: "a", data: "a".repeat(5000) },
    { name: "b", data: "b" },
  ]);
  const gzip = gzipSync(good);
  const flipped = Buffer.from(gzip);
  flipped[40] = (flipped[40] ?? 0) ^ 0xff;
  const wrongSum = Buffer.from(good);
  wrongSum[3] = 7;
  const eof = /unexpected EOF/;
  return [
    { name: "truncated data", archive: good.subarray(0, 2000), refused: eof },
    { name: "truncated header", archive: good.subarray(0, 300 + 512 * 11), refused: eof },
    { name: "truncated gzip", archive: gzip.subarray(0, gzip.length - 20), refused: eof },
    { name: "gzip without its sum", archive: gzip.subarray(0, gzip.length - 8), refused: eof },
    { name: "damaged gzip", archive: flipped, refused: /gzip/ },
    { name: "garbage after gzip", archive: Buffer.concat([gzip, Buffer.from("garbage")]), refused: /gzip/ },
    { name: "wrong checksum", archive: wrongSum, refused: /invalid tar header/ },
    {
      name: "a file of exabytes",
      archive: end(
        raw(
          { name: "x" },
          (h) => void Buffer.from([0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]).copy(h, 124),
        ),
      ),
      refused: /EOF|invalid|no space/,
    },
    {
      name: "an extended header of gigabytes",
      archive: end(raw({ name: "x", size: 4e9 }, (h) => h.write("x", 156))),
      refused: /larger than/,
    },
    {
      name: "a long name of gigabytes",
      archive: end(raw({ name: "x", size: 4e9 }, (h) => h.write("L", 156))),
      refused: /larger than/,
    },
    { name: "a path of 5000 bytes", archive: tarOf([{ name: "d/".repeat(2500) }]), refused: /longer than/ },
    { name: "a name of 300 bytes", archive: tarOf([{ name: "n".repeat(300) }]), refused: /too long/i },
    {
      name: "a zero byte in a path",
      archive: end(pax("13 path=a\0b\n "), tarHeader({ name: "x" })),
      refused: /invalid|zero/,
    },
    {
      name: "a record that ends too late",
      archive: end(pax("99 path=a\n"), tarHeader({ name: "x" })),
      refused: /invalid extended/,
    },
    {
      name: "a record that ends at once",
      archive: end(pax("3 a\n"), tarHeader({ name: "x" })),
      refused: /invalid extended/,
    },
    {
      name: "an owner beyond all",
      archive: end(pax("18 uid=4294967295\n"), tarHeader({ name: "x" })),
      refused: /owner/,
    },
    {
      name: "sparse pieces out of order",
      archive: end(
        pax(["GNU.sparse.size=100", "GNU.sparse.map=50,1,0,1"].map(record).join("")),
        tarHeader({ name: "x", size: 2 }),
        Buffer.alloc(512),
      ),
      refused: /sparse/,
    },
    {
      name: "a sparse file of exabytes",
      archive: end(
        pax(["GNU.sparse.size=9000000000000000000", "GNU.sparse.map=0,512"].map(record).join("")),
        tarHeader({ name: "x", size: 512 }),
        Buffer.alloc(512),
      ),
      refused: /ftruncate|sparse/,
    },
    {
      name: "an unknown kind",
      archive: end(raw({ name: "x" }, (h) => h.write("V", 156))),
      refused: /unknown type/,
    },
    {
      name: "one block of zeros, then more",
      archive: Buffer.concat([good.subarray(0, 512 * 11), Buffer.alloc(512), good]),
      refused: /invalid tar header/,
    },
  ];
}

/** Sparse files that together have more bytes than a number counts exactly. */
export function vast(): HostileLayer {
  const size = 2 ** 44 - 4096;
  const members = Array.from({ length: 520 }, (_, i) => [
    pax([`GNU.sparse.size=${size}`, "GNU.sparse.map=0,1"].map(record).join("")),
    tarHeader({ name: `x${i}`, size: 1 }),
    Buffer.alloc(512),
  ]);
  return { name: "vast files", archive: end(...members.flat()) };
}

/** Directories so deep that no path leads to their end. */
export function deep(): HostileLayer {
  const step = `${"d/".repeat(1900)}`;
  const members: TarEntryInit[] = [];
  for (let i = 0; i < 2; i++) {
    members.push({ name: `${i === 0 ? "" : `l${i - 1}/`}${step}`, type: "directory" });
    members.push(link(`l${i}`, `${i === 0 ? "" : `l${i - 1}/`}${step}`));
  }
  return { name: "deep", archive: tarOf(members) };
}
