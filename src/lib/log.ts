export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, unknown>;

/** Structured log lines. One per process; `child` adds fields to every line. */
export interface Logger {
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  level?: LogLevel;
  /** `text` is logfmt: time=… level=… msg=…; `json` is one object a line. */
  format?: "text" | "json";
  write?: (line: string) => void;
}

const plain = /^[\w./:@,+-]+$/;

function render(value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value;
}

function logfmt(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return plain.test(text) ? text : JSON.stringify(text);
}

function textLine(entry: LogFields): string {
  let line = "";
  for (const key in entry) line += `${line === "" ? "" : " "}${key}=${logfmt(entry[key])}`;
  return `${line}\n`;
}

/** Makes a logger that writes to stderr unless told otherwise. Errors among the fields get their stack. */
export function createLogger(options: LoggerOptions = {}, bound: LogFields = {}): Logger {
  const level = options.level ?? "info";
  const threshold = logLevels.indexOf(level);
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  const format = options.format === "json" ? (entry: LogFields) => `${JSON.stringify(entry)}\n` : textLine;
  const at = (name: LogLevel) => {
    if (logLevels.indexOf(name) < threshold) return () => {};
    return (message: string, fields?: LogFields) => {
      const entry: LogFields = { time: new Date().toISOString(), level: name, msg: message, ...bound };
      for (const key in fields) entry[key] = render(fields[key]);
      write(format(entry));
    };
  };
  return {
    level,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** A logger that says nothing, for libraries and tests. */
export const silentLogger: Logger = createLogger({ level: "error", write: () => {} });
