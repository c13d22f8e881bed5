/** A member of a tar archive, without its data. */
export interface TarEntry {
  /** As in the archive; may be absolute or hold `..`: whoever uses it as a path resolves it safely. */
  name: string;
  type: TarType;
  /** Bytes of data; 0 for everything but files. */
  size: number;
  /** Permission bits with setuid, setgid and sticky, without the file type. */
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since 1970. */
  mtime: bigint;
  linkname: string;
  major: number;
  minor: number;
  /** Extended attributes by name, e.g. "security.capability". */
  xattrs: Map<string, Buffer>;
}

export type TarType = "file" | "link" | "symlink" | "character" | "block" | "directory" | "fifo";

export const blockSize = 512;

/** The bytes that fill `size` up to whole blocks. */
export function padding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

export const typeFlags: Record<TarType, string> = {
  file: "0",
  link: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** An archive that is not one, or not one that may be read. `message` says why. */
export class TarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TarError";
  }
}
