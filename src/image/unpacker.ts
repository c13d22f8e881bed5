import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { invalid, system } from "../lib/errors.ts";
import { nativeFile } from "../lib/own-file.ts";
import { fromBytes } from "./layer-archive.ts";

/** What a layer's archive was, as told by the program that unpacked it. */
export interface Unpacked {
  /** Digest of the archive as it came. */
  packedDigest: string;
  packedSize: number;
  packing: "plain" | "gzip" | "zstd";
  /** Digest of the uncompressed archive. */
  diffId: string;
  plainSize: number;
  /** Sum of the files' sizes: what Docker shows as a layer's size. */
  size: number;
  entries: number;
  /** Whether a recipe was written by which the archive can be made again. */
  recipe: boolean;
  /** Whether files that a later entry replaced are kept for that. */
  replaced: boolean;
  /** Directories that the archive implies by paths below them but does not describe. */
  implied: string[];
}

/** Bounds on one layer. */
export interface UnpackLimits {
  /** Bytes of the uncompressed archive. */
  bytes: number;
  entries: number;
  /** Bytes that must stay free on the file system. */
  reserve: number;
}

export const defaultLimits: UnpackLimits = { bytes: 64 * 2 ** 30, entries: 4_000_000, reserve: 64 * 2 ** 20 };

export interface Unpacking {
  /** Takes the archive. Waits while the program has enough to do; returns false when it takes no more. */
  write(chunk: Buffer): Promise<boolean>;
  /** Ends the archive. Rejects with INVALID_PARAMETER when it is damaged or beyond a limit. */
  finish(): Promise<Unpacked>;
  abort(): void;
  /** Resolves when the program is gone, however it ended. */
  readonly ended: Promise<void>;
}

/**
 * Starts to unpack an archive (tar, or gzip or zstd of it) into an empty directory. `recipe` and `replaced` are
 * files to be written for `assemble`.
 */
export function unpackInto(
  directory: string,
  limits: UnpackLimits,
  { recipe, replaced }: { recipe: string; replaced: string },
): Unpacking {
  const args = ["unpack", directory, limits.bytes, limits.entries, limits.reserve, recipe, replaced].map(
    String,
  );
  const child = spawn(nativeFile("berth-tar"), args, { stdio: ["pipe", "pipe", "pipe"], env: {} });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => output.push(data));
  const { promise: result, resolve, reject } = Promise.withResolvers<Unpacked>();
  const ended = result.then(
    () => undefined,
    () => undefined,
  );
  child.on("error", (error) => reject(system(`could not run berth-tar: ${error.message}`, error)));
  child.on("close", (code, signal) => {
    try {
      resolve(readResult(Buffer.concat(output).toString("utf8"), code, signal));
    } catch (error) {
      reject(error);
    }
  });
  const input = inputOf(child.stdin);
  return {
    write: input.write,
    finish() {
      input.end();
      return result;
    },
    abort() {
      child.kill("SIGKILL");
    },
    ended,
  };
}

function inputOf(stdin: Writable): { write: Unpacking["write"]; end: () => void } {
  let open = true;
  let waiting: (() => void) | null = null;
  const wake = (): void => {
    waiting?.();
    waiting = null;
  };
  const shut = (): void => {
    open = false;
    wake();
  };
  stdin.on("drain", wake);
  // The program may end before the archive does; its own words say why.
  stdin.on("error", shut);
  stdin.on("close", shut);
  return {
    async write(chunk) {
      if (open && !stdin.write(chunk)) {
        await new Promise<void>((resolve) => {
          waiting = resolve;
        });
      }
      return open;
    },
    end: () => void stdin.end(),
  };
}

function readResult(output: string, code: number | null, signal: NodeJS.Signals | null): Unpacked {
  const result: unknown = output.startsWith("{") ? JSON.parse(output) : {};
  if (typeof result !== "object" || result === null) throw system("berth-tar gave no answer");
  if ("error" in result && typeof result.error === "string") {
    const entry =
      "entry" in result && typeof result.entry === "string" ? ` (${fromBytes(result.entry)})` : "";
    const message = `Error processing tar file: ${result.error}${entry}`;
    throw "code" in result && result.code === "ENOSPC" ? system(message) : invalid(message);
  }
  if (code !== 0) throw system(`berth-tar ended by ${signal ?? `exit code ${code}`}: ${output.trim()}`);
  return toUnpacked(result);
}

function toUnpacked(result: object): Unpacked {
  const field = <T>(name: string, check: (value: unknown) => value is T): T => {
    const value = Object.entries(result).find(([key]) => key === name)?.[1];
    if (!check(value)) throw system(`berth-tar gave no ${name}`);
    return value;
  };
  const isNumber = (value: unknown): value is number => typeof value === "number";
  const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
  const isText = (value: unknown): value is string => typeof value === "string";
  const isPacking = (value: unknown): value is Unpacked["packing"] =>
    value === "plain" || value === "gzip" || value === "zstd";
  const isList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
  return {
    packedDigest: `sha256:${field("packedDigest", isText)}`,
    packedSize: field("packedSize", isNumber),
    packing: field("packing", isPacking),
    diffId: `sha256:${field("diffId", isText)}`,
    plainSize: field("plainSize", isNumber),
    size: field("size", isNumber),
    entries: field("entries", isNumber),
    recipe: field("recipe", isFlag),
    replaced: field("replaced", isFlag),
    implied: field("implied", isList),
  };
}
