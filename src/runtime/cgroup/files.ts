import { closeSync, constants, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { system } from "../../lib/errors.ts";
import type { FileWrite } from "./plan.ts";

/** The errno name of a failed system call, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A file's text, or undefined when it or its controller is not there. */
export function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENODEV" || code === "ENOTSUP") return undefined;
    throw error;
  }
}

/** mkdir(2), content with a directory that is there already. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Opens the file once and writes each value with one write(2), as the kernel's control files want. */
export function writeValues({ path, values, optional }: FileWrite): void {
  let descriptor: number;
  try {
    // Not to be created: a control file that is not there would be refused as forbidden then.
    descriptor = openSync(path, constants.O_WRONLY);
  } catch (error) {
    if (optional && errnoOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    for (const value of values) {
      try {
        writeSync(descriptor, value);
      } catch (error) {
        throw system(`failed to write "${value}": write ${path}: ${describe(error)}`, error);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

const texts: Record<string, string> = {
  EACCES: "permission denied",
  EBUSY: "device or resource busy",
  EINVAL: "invalid argument",
  ENODEV: "no such device",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTSUP: "operation not supported",
  EPERM: "operation not permitted",
  ERANGE: "numerical result out of range",
  ESRCH: "no such process",
};

/** An errno as strerror(3) words it. */
export function describe(error: unknown): string {
  const code = errnoOf(error);
  return (code && texts[code]) ?? (error instanceof Error ? error.message : String(error));
}

/** "key value" lines, as memory.stat and cpu.stat have them. Values beyond 2^53 lose precision. */
export function parseKeyed(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) values[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return values;
}
