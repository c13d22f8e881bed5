import type { Writable } from "node:stream";

export type StreamName = "stdin" | "stdout" | "stderr" | "systemerr";

const streamNumber: Record<StreamName, number> = { stdin: 0, stdout: 1, stderr: 2, systemerr: 3 };

/** Up to here header and data are copied into one buffer; above, written as two in one go. */
const copyLimit = 16 * 1024;

function header(target: Buffer, stream: StreamName, length: number): Buffer {
  target.writeUInt32BE(streamNumber[stream] << 24, 0);
  target.writeUInt32BE(length, 4);
  return target;
}

/** One frame of Docker's multiplexed stream: stream number, three zeros, length (big-endian), data. */
export function frame(stream: StreamName, data: Buffer): Buffer {
  const buffer = Buffer.allocUnsafe(8 + data.length);
  header(buffer, stream, data.length);
  data.copy(buffer, 8);
  return buffer;
}

/** Writes one frame; false asks the caller to wait for `drain`, as `Writable.write` does. */
export function writeFrame(target: Writable, stream: StreamName, data: Buffer): boolean {
  if (data.length <= copyLimit) return target.write(frame(stream, data));
  target.cork();
  target.write(header(Buffer.allocUnsafe(8), stream, data.length));
  const more = target.write(data);
  target.uncork();
  return more;
}
