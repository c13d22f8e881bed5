import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { PassThrough, Readable, type Writable } from "node:stream";
import { system } from "./errors.ts";
import { nativeFile } from "./own-file.ts";

/** A refusal by berth-files: what it said and, when a system call failed, its errno's name. */
export class FileWorkError extends Error {
  readonly code: string;
  /** The path or archive entry it happened at; empty when it was none. */
  readonly entry: string;

  constructor(message: string, code: string, entry: string) {
    super(message);
    this.name = "FileWorkError";
    this.code = code;
    this.entry = entry;
  }
}

/** One run of berth-files (native/files/main.c tells its arguments). */
export interface FileWork {
  /** What it says, an object a line. Throws FileWorkError when that is a refusal. */
  readonly lines: AsyncIterable<Record<string, unknown>>;
  /** Takes an archive for `put`. */
  readonly stdin: Writable;
  /** The archive that `pack` and `export` make. */
  readonly archive: Readable;
  kill(): void;
}

/** Starts berth-files; ends with the reader of its lines. */
export function startFileWork(
  args: readonly string[],
  stdio: { stdin?: boolean; archive?: boolean } = {},
): FileWork {
  const child = spawn(nativeFile("berth-files"), [...args], {
    stdio: [stdio.stdin ? "pipe" : "ignore", "pipe", "pipe", stdio.archive ? "pipe" : "ignore"],
    env: {},
  });
  const [stdin, stdout, stderr, archive] = child.stdio;
  return {
    lines: readLines(child, stdout as Readable, stderr as Readable),
    stdin: stdin as Writable,
    // Node throws away what a program that has ended wrote to a pipe that nobody reads yet.
    archive: stdio.archive ? (archive as Readable).pipe(new PassThrough()) : Readable.from([]),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Runs berth-files to its end and returns all it said. */
export async function runFileWork(args: readonly string[]): Promise<Record<string, unknown>[]> {
  return Array.fromAsync(startFileWork(args).lines);
}

async function* readLines(
  child: ChildProcess,
  stdout: Readable,
  stderr: Readable,
): AsyncGenerator<Record<string, unknown>> {
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", (error) => reject(system(`could not run berth-files: ${error.message}`, error)));
    child.on("exit", (code, signal) => resolve(code === 0 ? "" : (signal ?? `exit code ${code}`)));
  });
  // Awaited below, after its output; until then a rejection has a reader all the same.
  ended.catch(() => undefined);
  const complaints: Buffer[] = [];
  stderr.on("data", (data: Buffer) => complaints.push(data));
  for await (const line of createInterface({ input: stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const value = JSON.parse(line, (_key, part: unknown) =>
      typeof part === "string" ? fromBytes(part) : part,
    );
    if (typeof value.error === "string")
      throw new FileWorkError(value.error, value.code ?? "", value.entry ?? "");
    yield value;
  }
  const failure = await ended;
  if (failure !== "") {
    throw system(`berth-files ended by ${failure}: ${Buffer.concat(complaints).toString().trim()}`);
  }
}

/** Names come one byte a character, since they need not be UTF-8. */
const fromBytes = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

/** Bytes of the files below a directory, each inode once, as Docker counts. Safe while it changes. */
export async function directorySize(directory: string): Promise<number> {
  const [line] = await runFileWork(["usage", directory]);
  return Number(line?.bytes ?? 0);
}
