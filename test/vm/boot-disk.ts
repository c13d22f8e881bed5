// A disk that boots without a kernel, for tests of machines themselves.
import { execFileSync } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";

/** Makes the disk in a directory; returns its path. What it does is in boot-sector.S. */
export function makeBootDisk(directory: string): string {
  const [object, disk] = [join(directory, "boot.o"), join(directory, "boot.img")];
  execFileSync("as", ["--32", "-o", object, join(import.meta.dirname, "boot-sector.S")]);
  execFileSync("ld", ["-m", "elf_i386", "-Ttext=0x7c00", "--oformat", "binary", "-o", disk, object]);
  truncateSync(disk, 1 << 20);
  return disk;
}
