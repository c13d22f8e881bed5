/** A file of an initial ram disk. */
export type CpioEntry =
  | { kind: "directory"; path: string; mode: number }
  | { kind: "file"; path: string; mode: number; content: Buffer }
  | { kind: "character-device"; path: string; mode: number; major: number; minor: number };

const types = { directory: 0o040000, file: 0o100000, "character-device": 0o020000 } as const;
const alignment = 4;

/** An archive in the "newc" format, as the kernel unpacks it. Everything belongs to root and has no date. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => member(entry, index + 1));
  return Buffer.concat([...parts, ...record("TRAILER!!!", 0, 0, [0, 0], Buffer.alloc(0))]);
}

function member(entry: CpioEntry, inode: number): Buffer[] {
  const content = entry.kind === "file" ? entry.content : Buffer.alloc(0);
  const device: [number, number] = entry.kind === "character-device" ? [entry.major, entry.minor] : [0, 0];
  return record(entry.path, inode, types[entry.kind] | entry.mode, device, content);
}

function record(
  path: string,
  inode: number,
  mode: number,
  device: [number, number],
  content: Buffer,
): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, ...device, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [head, name, padding(head.length + name.length), content, padding(content.length)];
}

const padding = (size: number): Buffer => Buffer.alloc((alignment - (size % alignment)) % alignment);
