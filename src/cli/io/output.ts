import { fs } from "../builtin.ts";

/** Writes to stdout, whole, before it returns. */
export function out(data: string | Uint8Array): void {
  write(1, data);
}

/** Writes to stderr, whole, before it returns. */
export function err(data: string | Uint8Array): void {
  write(2, data);
}

/** Writes all of `data` to a descriptor. Ends the process quietly, as SIGPIPE would, when the reader is gone. */
export function write(fd: number, data: string | Uint8Array): void {
  let rest = typeof data === "string" ? Buffer.from(data) : data;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(fd, rest));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") process.exit(141);
      // A terminal shared with a program that made it non-blocking.
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
