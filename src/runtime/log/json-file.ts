import type { LogFormat, LogRecord } from "./record.ts";

const NEWLINE = 0x0a;
const timeField = Buffer.from('"time":"');

interface Entry {
  log?: string;
  stream?: string;
  time: string;
  attrs?: Record<string, string>;
}

/** Docker's json-file: one JSON object a line, with the fields log, stream, attrs and time. */
export const jsonFile: LogFormat = {
  measure: (data) => data.indexOf(NEWLINE) + 1,

  measureBack(data) {
    const before = data.lastIndexOf(NEWLINE, data.length - 2);
    return before < 0 ? 0 : data.length - before - 1;
  },

  decode(record) {
    const entry = parse(record);
    if (!entry) return null;
    const decoded: LogRecord = {
      stream: entry.stream === "stderr" ? "stderr" : "stdout",
      time: new Date(entry.time),
      timestamp: nineDecimals(entry.time),
      line: Buffer.from(entry.log ?? ""),
    };
    if (entry.attrs) decoded.attrs = entry.attrs;
    return decoded;
  },

  timeOf(record) {
    const at = record.lastIndexOf(timeField);
    if (at < 0) return Number.NaN;
    const from = at + timeField.length;
    return Date.parse(record.toString("latin1", from, record.indexOf('"', from)));
  },
};

function parse(record: Buffer): Entry | null {
  try {
    const entry: unknown = JSON.parse(record.toString("utf8"));
    return isEntry(entry) ? entry : null;
  } catch {
    // A line cut short when the disk was full; those around it are whole.
    return null;
  }
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && "time" in value && typeof value.time === "string";
}

function nineDecimals(time: string): string {
  const [, whole = time, fraction = ""] = /^([^.Z]*)(?:\.(\d+))?Z$/.exec(time) ?? [];
  return whole === time ? time : `${whole}.${fraction.padEnd(9, "0")}Z`;
}
