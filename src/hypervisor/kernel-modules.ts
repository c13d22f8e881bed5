import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { compressionOf } from "../lib/decompress.ts";
import { system } from "../lib/errors.ts";
import type { GuestKernel } from "./kernel.ts";

export interface KernelModule {
  /** As modprobe knows it, with underscores. */
  name: string;
  /** The object file, decompressed. */
  content: Buffer;
}

/** Names with `-` and `_` mean the same module. */
const canonical = (name: string): string => name.replaceAll("-", "_");
const nameOf = (file: string): string => canonical(basename(file).replace(/\.ko(\.\w+)?$/, ""));

/**
 * The named modules and all they depend on, each after its dependencies. What is built into the kernel is
 * passed over; throws for a module that the kernel does not have.
 */
export function loadModules(kernel: GuestKernel, names: readonly string[]): KernelModule[] {
  const files = moduleFiles(kernel.modules);
  const builtin = new Set(listed(join(kernel.modules, "modules.builtin")).map(nameOf));
  const loaded = new Map<string, KernelModule>();
  const load = (name: string): void => {
    if (loaded.has(name) || builtin.has(name)) return;
    const file = files.get(name);
    if (!file) throw system(`the guest kernel ${kernel.version} has no module ${name}`);
    const content = decompress(readFileSync(file), file);
    for (const dependency of dependencies(content)) load(dependency);
    loaded.set(name, { name, content });
  };
  for (const name of names) load(canonical(name));
  return [...loaded.values()];
}

function listed(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** Module files by name. Not by modules.dep: that is made when a kernel is installed, which ours need not be. */
function moduleFiles(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(directory, "kernel"), { recursive: true, encoding: "utf8" }))
    if (/\.ko(\.\w+)?$/.test(entry)) files.set(nameOf(entry), join(directory, "kernel", entry));
  return files;
}

/** What the module itself says it needs: "depends=virtio,virtio_ring" in its .modinfo section. */
function dependencies(content: Buffer): string[] {
  const at = content.indexOf("\0depends=");
  if (at < 0) return [];
  const begin = at + "\0depends=".length;
  const words = content.toString("latin1", begin, content.indexOf(0, begin));
  return words.split(",").filter(Boolean).map(canonical);
}

function decompress(content: Buffer, file: string): Buffer {
  switch (compressionOf(content)) {
    case "gzip":
      return gunzipSync(content);
    case "zstd":
      return zstdDecompressSync(content);
    case "xz": {
      const { status, stdout, error } = spawnSync("xz", ["-dc", file], { maxBuffer: 64 << 20 });
      if (status !== 0) throw system(`could not decompress ${file} with xz`, error);
      return stdout;
    }
    default:
      return content;
  }
}
