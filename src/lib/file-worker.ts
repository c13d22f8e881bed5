import { spawn } from "node:child_process";
import { once } from "node:events";
import { unlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { toBytes } from "./byte-text.ts";
import { system } from "./errors.ts";
import { type FileReport, readFrames } from "./file-frames.ts";
import { nativeFile } from "./own-file.ts";

export { FileWorkError } from "./file-frames.ts";

/** One piece of work of berth-files (native/files/main.c tells its arguments). */
export interface FileWork {
  /** What it says, an object a line. Throws FileWorkError when that is a refusal. */
  readonly lines: AsyncIterable<FileReport>;
  /** Takes an archive for `put`. */
  readonly stdin: Writable;
  /** The archive that `pack`, `export` and `layer` make. Fails when the work ends before it is done. */
  readonly archive: Readable;
  kill(): void;
}

/**
 * Has berth-files work on files. It is started at the first need and forks for each piece of work: to
 * start a program blocks a large Node process for many milliseconds.
 */
export class FileWorker {
  readonly #path: string;
  #server: Promise<() => void> | null = null;

  /** `path`: of a socket in a directory that nobody else may enter. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Starts a piece of work. */
  async start(args: readonly string[]): Promise<FileWork> {
    const socket = await this.#connect();
    const words = toBytes(args.map((arg) => `${arg}\0`).join(""));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(words.length);
    socket.write(Buffer.concat([size, words]));
    const { lines, archive } = readFrames(socket);
    return { lines, archive, stdin: socket, kill: () => void socket.destroy() };
  }

  /** Does a piece of work that takes no archive, and returns all it said. */
  async run(args: readonly string[]): Promise<FileReport[]> {
    return Array.fromAsync((await this.start(args)).lines);
  }

  /** Bytes of the files below a directory, each inode once, as Docker counts. Safe while it changes. */
  async size(directory: string): Promise<number> {
    const [line] = await this.run(["usage", directory]);
    return Number(line?.bytes ?? 0);
  }

  /** Ends what it does. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server) (await server)();
  }

  async #connect(): Promise<Socket> {
    for (let again = true; ; again = false) {
      this.#server ??= this.#launch();
      const server = this.#server;
      try {
        await server;
        return await connected(this.#path);
      } catch (error) {
        // It may have been killed; a new one is as good.
        if (this.#server === server) this.#server = null;
        if (!again) throw system(`could not reach berth-files: ${String(error)}`, error);
      }
    }
  }

  async #launch(): Promise<() => void> {
    const child = spawn(nativeFile("berth-files"), ["serve", this.#path], {
      stdio: ["ignore", "pipe", "ignore"],
      env: {},
      // A terminal's interrupt is for the daemon.
      detached: true,
    });
    const failed = once(child, "exit").then(([code, signal]) => {
      throw system(`berth-files ended by ${signal ?? `exit code ${code}`}`);
    });
    // It says so when it listens. After that its end shows when it is needed next.
    await Promise.race([once(child.stdout, "data"), failed]);
    failed.catch(() => undefined);
    child.stdout.destroy();
    child.unref();
    return () => {
      child.kill("SIGKILL");
      unlinkSync(this.#path);
    };
  }
}

async function connected(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}
