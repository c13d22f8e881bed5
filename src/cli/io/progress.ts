import { tty } from "../builtin.ts";
import { CliError } from "../errors.ts";
import { humanSize } from "../format/units.ts";
import { err, out } from "./output.ts";

/** One message of a long operation, as the API streams them. */
export interface ProgressMessage {
  stream?: string;
  status?: string;
  id?: string;
  progress?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
  errorDetail?: { code?: number; message?: string };
  aux?: unknown;
}

/** The JSON values of a body that has one on each line, as text. */
export async function* jsonTexts(body: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line) yield line;
    }
  }
  if (rest.trim()) yield rest;
}

export interface ProgressOptions {
  /** 1 for stdout, 2 for stderr, 0 for silence. */
  fd?: 0 | 1 | 2;
  onAux?: (aux: unknown) => void;
}

/**
 * Shows a stream of progress: in place on a terminal, elsewhere a line for each change without the
 * bars. Throws `CliError` for an error in the stream.
 */
export async function showProgress(
  body: AsyncIterable<Buffer>,
  { fd = 1, onAux }: ProgressOptions = {},
): Promise<void> {
  const print = fd === 0 ? () => undefined : fd === 1 ? out : err;
  const show = fd !== 0 && tty.isatty(fd) ? inPlace(print) : lineByLine(print);
  for await (const line of jsonTexts(body)) {
    const message = JSON.parse(line) as ProgressMessage;
    if (message.error || message.errorDetail) {
      const { code, message: text } = message.errorDetail ?? {};
      throw new CliError(text || message.error || "unknown error", code && code < 256 ? code : 1);
    }
    if (message.aux !== undefined) onAux?.(message.aux);
    else if (message.stream !== undefined) print(message.stream);
    else if (message.status !== undefined) {
      const { current = 0, total = 0 } = message.progressDetail ?? {};
      const text = `${message.id ? `${message.id}: ` : ""}${message.status}`;
      show(text, current > 0 || total > 0 ? ` ${bar(current, total)}` : "", message.id);
    }
  }
}

type Show = (text: string, bar: string, id?: string) => void;

function lineByLine(print: (text: string) => void): Show {
  return (text, bar) => {
    if (bar === "") print(`${text}\n`);
  };
}

/** A row for each id, which changes where it stands. */
function inPlace(print: (text: string) => void): Show {
  const rows = new Map<string, number>();
  return (text, bar, id) => {
    const row = id === undefined ? undefined : rows.get(id);
    if (row === undefined) {
      // A line that stands alone parts the rows above it from those that come.
      if (id === undefined) rows.clear();
      else rows.set(id, rows.size);
      print(`${text}${bar}\n`);
      return;
    }
    const up = rows.size - row;
    print(`\x1b[${up}A\x1b[2K\r${text}${bar}\x1b[${up}B\r`);
  };
}

/** `[=====>    ]  1.2MB/4MB`, or only how much when the whole is not known. */
function bar(current: number, total: number): string {
  const size = humanSize(current);
  if (total <= 0) return size.padStart(8);
  const filled = Math.max(0, Math.min(50, Math.trunc((current / total) * 50)));
  const rest = " ".repeat(Math.max(0, 49 - filled));
  return `[${"=".repeat(filled)}>${rest}] ${size.padStart(8)}/${humanSize(total)}`;
}
