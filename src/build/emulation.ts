import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatPlatform, hostPlatform, platformDistance } from "../image/platform.ts";
import type { Platform } from "../image/types.ts";
import { invalid } from "../lib/errors.ts";

const registry = "/proc/sys/fs/binfmt_misc";

/** The machine numbers of ELF files (elf.h), and whether they are big-endian and of 64 bits. */
const machines: Record<string, { number: number; big?: boolean; wide?: boolean }> = {
  "386": { number: 3 },
  amd64: { number: 62, wide: true },
  arm: { number: 40 },
  arm64: { number: 183, wide: true },
  loong64: { number: 258, wide: true },
  mips64le: { number: 8, wide: true },
  ppc64le: { number: 21, wide: true },
  riscv64: { number: 243, wide: true },
  s390x: { number: 22, wide: true, big: true },
};

/** Throws INVALID_PARAMETER where neither the processor nor an emulator runs programs of a platform. */
export function requireRunnable(platform: Platform, directory = registry): void {
  if (runsHere(platform) || isEmulated(platform, directory)) return;
  throw invalid(
    `RUN for ${formatPlatform(platform)} needs an emulator: the kernel has no handler for its programs in ${registry}. ` +
      `Install one (Debian: qemu-user-static), or run what can run here in a stage FROM --platform=$BUILDPLATFORM`,
  );
}

function runsHere(platform: Platform): boolean {
  if (platform.architecture === "" || platformDistance(hostPlatform, platform) !== null) return true;
  return hostPlatform.architecture === "amd64" && ["amd64", "386"].includes(platform.architecture);
}

/** Whether some handler that is registered (binfmt_misc) takes a program of this platform. */
export function isEmulated({ architecture }: Platform, directory: string): boolean {
  const machine = machines[architecture];
  if (!machine) return false;
  const header = elfHeader(machine);
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // A kernel without it.
    return false;
  }
  return names
    .filter((name) => name !== "register" && name !== "status")
    .some((name) => takes(readFileSync(join(directory, name), "utf8"), header));
}

/** The beginning of a program, by which handlers know it. */
function elfHeader({
  number,
  big = false,
  wide = false,
}: {
  number: number;
  big?: boolean;
  wide?: boolean;
}): Buffer {
  const header = Buffer.alloc(128);
  header.write("\x7fELF", "latin1");
  header.set([wide ? 2 : 1, big ? 2 : 1, 1], 4);
  const put = (value: number, offset: number) =>
    big ? header.writeUInt16BE(value, offset) : header.writeUInt16LE(value, offset);
  put(2, 16);
  put(number, 18);
  return header;
}

function takes(handler: string, header: Buffer): boolean {
  const field = (name: string): string => new RegExp(`^${name} (.+)$`, "m").exec(handler)?.[1] ?? "";
  const magic = Buffer.from(field("magic"), "hex");
  const offset = Number(field("offset") || 0);
  if (!handler.startsWith("enabled") || magic.length === 0) return false;
  const mask = field("mask") === "" ? Buffer.alloc(magic.length, 0xff) : Buffer.from(field("mask"), "hex");
  return magic.every(
    (byte, at) => (byte & (mask[at] ?? 0xff)) === ((header[offset + at] ?? 0) & (mask[at] ?? 0xff)),
  );
}
