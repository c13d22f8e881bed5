import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : undefined;

/**
 * Makes a directory and those above it that are missing, all with `mode` less the umask; nothing when
 * it is there. Throws the system's error, EEXIST for what is no directory.
 *
 * Node's own recursive mkdir never returns where the kernel says ENOENT to a directory whose parent
 * exists, as in /proc.
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || existsSync(parent)) throw error;
    makeDirectories(parent, mode);
    makeDirectories(path, mode);
  }
}
