import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { system } from "../lib/errors.ts";
import { nativeFile } from "../lib/own-file.ts";
import type { Unpacked } from "./unpacker.ts";

/**
 * Digests a directory that overlayfs wrote as the archive of a layer that it would be, and writes a recipe
 * by which the archive can be made.
 */
export async function sealDirectory(directory: string, recipe: string): Promise<Unpacked> {
  const file = await open(recipe, "wx", 0o600);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Unpacked>();
    const child = spawn(nativeFile("berth-files"), ["directory", directory, "seal"], {
      stdio: ["ignore", "pipe", "pipe", file.fd],
      env: {},
    });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (data: Buffer) => void output.push(data));
    child.on("error", (error) => reject(system(`could not run berth-files: ${error.message}`, error)));
    child.on("close", (code) => {
      const words = Buffer.concat(output).toString().trim();
      if (code !== 0) reject(system(`could not make a layer: ${words}`));
      else resolve(toUnpacked(words.split("\n").at(-1) ?? ""));
    });
    return await promise;
  } finally {
    await file.close();
  }
}

function toUnpacked(line: string): Unpacked {
  const { diffId, plainSize, size, entries } = JSON.parse(line) as Record<string, unknown>;
  const digest = `sha256:${diffId}`;
  return {
    packedDigest: digest,
    packedSize: Number(plainSize),
    packing: "plain",
    diffId: digest,
    plainSize: Number(plainSize),
    size: Number(size),
    entries: Number(entries),
    recipe: true,
    implied: [],
  };
}
