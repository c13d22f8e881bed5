/** One line, or part of a long one, that a container wrote. */
export interface LogRecord {
  stream: "stdout" | "stderr";
  time: Date;
  /** RFC 3339 in UTC, always with nine decimals. */
  timestamp: string;
  /** With its line end; a part of a longer line has none. */
  line: Buffer;
  attrs?: Record<string, string>;
}

/** How a log file is read; one per log driver. */
export interface LogFormat {
  /** The length of the first record in `data`, 0 when it is not complete, -1 when this is not a record. */
  measure(data: Buffer): number;
  /** The length of the last record in `data`, 0 when its start is not in `data`, -1 when this is not a record. */
  measureBack(data: Buffer): number;
  /** Null for a record that was damaged, as by a full disk. */
  decode(record: Buffer): LogRecord | null;
  /** Milliseconds since 1970, without decoding the rest; NaN for a damaged record. */
  timeOf(record: Buffer): number;
}
