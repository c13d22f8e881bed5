import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CpioEntry, cpioArchive } from "./cpio.ts";
import type { GuestKernel } from "./kernel.ts";
import { loadModules } from "./kernel-modules.ts";

export interface InitrdOptions {
  kernel: GuestKernel;
  /** The program that becomes /init; static. */
  init: string;
  /** Names of the modules that the guest needs; what they depend on comes with them. */
  modules: readonly string[];
  /** A directory that keeps what was made. */
  cache: string;
}

/** In the guest: the modules' file names in the order in which they load, one a line. */
export const moduleListPath = "modules/list";

/** What this process has made already, by what it was made of. */
const made = new Map<string, string>();

function stamp(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${file} ${mtimeMs} ${size} ${ino}`;
}

/**
 * The file of an initial ram disk with the program as /init and the modules below /modules. Made once per
 * content. Not compressed: unpacking would take an emulated guest longer than it takes to read the bytes.
 */
export function makeInitrd({ kernel, init, modules, cache }: InitrdOptions): string {
  const key = JSON.stringify([kernel, modules, cache, ...[kernel.image, init].map(stamp)]);
  const known = made.get(key);
  if (known && existsSync(known)) return known;
  const content = initrdContent(loadModules(kernel, modules), readFileSync(init));
  const digest = createHash("sha256").update(content).digest("hex");
  const file = join(cache, `initrd-${digest.slice(0, 32)}.cpio`);
  made.set(key, file);
  if (existsSync(file)) return file;
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o444 });
  renameSync(temporary, file);
  return file;
}

function initrdContent(modules: readonly { name: string; content: Buffer }[], init: Buffer): Buffer {
  const directories = ["dev", "proc", "sys", "modules"];
  const entries: CpioEntry[] = [
    ...directories.map((path): CpioEntry => ({ kind: "directory", path, mode: 0o755 })),
    // What the kernel gives the first process as its streams.
    { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    ...modules.map(
      ({ name, content }): CpioEntry => ({ kind: "file", path: `modules/${name}.ko`, mode: 0o444, content }),
    ),
    {
      kind: "file",
      path: moduleListPath,
      mode: 0o444,
      content: Buffer.from(modules.map(({ name }) => `${name}.ko\n`).join("")),
    },
    { kind: "file", path: "init", mode: 0o555, content: init },
  ];
  return cpioArchive(entries);
}
