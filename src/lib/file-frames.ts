import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { toText } from "./byte-text.ts";
import { Channel } from "./channel.ts";
import { system } from "./errors.ts";

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

/** A line of what berth-files reports. */
export type FileReport = Record<string, unknown>;

const HEADER = 5;
const NEWLINE = 10;

/** Takes apart what berth-files sends (native/files/serve.c): its report, and the archive it makes. */
export function readFrames(socket: Socket): { lines: Channel<FileReport>; archive: Readable } {
  const lines = new Channel<FileReport>();
  const archive = new Readable({
    read: () => void socket.resume(),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // Those who only read the lines learn of a failure there.
  archive.on("error", () => undefined);
  let ended = false;
  const finish = (error?: Error): void => {
    if (ended) return;
    ended = true;
    lines.close(error);
    if (error) archive.destroy(error);
    else archive.push(null);
    socket.end();
  };
  const report = (text: string): void => {
    const line: FileReport = beyondAscii.test(text)
      ? JSON.parse(text, (_key, part: unknown) => (typeof part === "string" ? fromBytes(part) : part))
      : JSON.parse(text);
    if (typeof line.error !== "string") lines.push(line);
    else finish(new FileWorkError(line.error, String(line.code ?? ""), String(line.entry ?? "")));
  };
  const splitter = new FrameSplitter({
    report: lineReader(report),
    archive: (data) => {
      if (!archive.push(data)) socket.pause();
    },
    end: finish,
  });
  socket.on("data", (data: Buffer) => {
    try {
      splitter.take(data);
    } catch (error) {
      finish(system("berth-files sent what is not understood", error));
    }
  });
  socket.on("error", (error) => finish(system(`berth-files ended early: ${error.message}`, error)));
  socket.on("close", () => finish(system("berth-files ended early")));
  socket.on("end", () => finish(system("berth-files ended early")));
  return { lines, archive };
}

interface Sinks {
  report(data: Buffer): void;
  archive(data: Buffer): void;
  end(): void;
}

/** Gives the parts of frames on as they come, whole or not. */
class FrameSplitter {
  readonly #sinks: Sinks;
  #header: Buffer = Buffer.alloc(0);
  #kind = "";
  #left = 0;

  constructor(sinks: Sinks) {
    this.#sinks = sinks;
  }

  take(data: Buffer): void {
    let rest = data;
    while (rest.length > 0) {
      if (this.#left === 0) rest = this.#takeHeader(rest);
      else {
        const part = rest.subarray(0, this.#left);
        this.#left -= part.length;
        rest = rest.subarray(part.length);
        if (this.#kind === "R") this.#sinks.report(part);
        else this.#sinks.archive(part);
      }
    }
  }

  #takeHeader(data: Buffer): Buffer {
    const header = Buffer.concat([this.#header, data.subarray(0, HEADER - this.#header.length)]);
    const rest = data.subarray(HEADER - this.#header.length);
    this.#header = header;
    if (header.length < HEADER) return rest;
    this.#header = Buffer.alloc(0);
    this.#kind = String.fromCharCode(header[0] ?? 0);
    this.#left = header.readUInt32LE(1);
    if (this.#kind === "E") this.#sinks.end();
    return rest;
  }
}

function lineReader(onLine: (line: string) => void): (data: Buffer) => void {
  let parts: Buffer[] = [];
  return (data) => {
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      onLine(Buffer.concat([...parts, data.subarray(start, end)]).toString("latin1"));
      parts = [];
      start = end + 1;
    }
    if (start < data.length) parts.push(data.subarray(start));
  };
}

/** Most reports have nothing to decode, and there may be one for each of many files. */
const beyondAscii = /\\u00[89a-f]|[\x80-\xff]/i;

/** Names come one byte a character, since they need not be UTF-8. */
const fromBytes = (text: string): string => toText(Buffer.from(text, "latin1"));
