import type { LogFormat } from "./record.ts";

/** Before the line: its own size, the time, the stream. After it: the size again. */
const HEADER = 13;
const TRAILER = 4;
const LEAST = 13;
/** No line is longer than 16 KiB: the launcher splits them. */
const MOST = LEAST + 64 * 1024;

const isSize = (size: number): boolean => size >= LEAST && size <= MOST;

/**
 * Berth's local format, little-endian: u32 bytes that follow, u64 nanoseconds since 1970, u8 stream
 * (1 stdout, 2 stderr), the line, and the first u32 again, so that files can be read from their end.
 */
export const local: LogFormat = {
  measure(data) {
    if (data.length < 4) return 0;
    const size = data.readUInt32LE(0);
    if (!isSize(size)) return -1;
    return data.length < size + 4 ? 0 : size + 4;
  },

  measureBack(data) {
    if (data.length < 4) return 0;
    const size = data.readUInt32LE(data.length - 4);
    if (!isSize(size)) return -1;
    return data.length < size + 4 ? 0 : size + 4;
  },

  decode(record) {
    const nanos = record.readBigUInt64LE(4);
    const time = new Date(Number(nanos / 1_000_000n));
    const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0");
    return {
      stream: record[12] === 2 ? "stderr" : "stdout",
      time,
      timestamp: `${time.toISOString().slice(0, 19)}.${fraction}Z`,
      // A copy: the record is a piece of a buffer that is much larger.
      line: Buffer.from(record.subarray(HEADER, record.length - TRAILER)),
    };
  },

  timeOf: (record) => Number(record.readBigUInt64LE(4) / 1_000_000n),
};
