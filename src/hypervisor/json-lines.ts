/** Text of one JSON object per line, from a peer that may send anything. */
export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Splits what arrives into objects; holds at most `limit` bytes of an unfinished one. */
export class JsonLines {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Calls back with each object that is complete. Returns what is wrong with the stream, if anything. */
  push(chunk: Buffer, onObject: (object: JsonObject) => void): string | null {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = this.#finish(rest.subarray(0, end));
      if (line === null) return this.#tooLong();
      rest = rest.subarray(end + 1);
      if (line === "") continue;
      const object = parse(line);
      if (!object) return "what is no JSON object";
      onObject(object);
    }
    this.#size += rest.length;
    if (this.#size > this.#limit) return this.#tooLong();
    if (rest.length > 0) this.#parts.push(rest);
    return null;
  }

  #finish(end: Buffer): string | null {
    const parts = [...this.#parts, end];
    const size = this.#size + end.length;
    this.#parts = [];
    this.#size = 0;
    return size > this.#limit ? null : Buffer.concat(parts).toString("utf8").trim();
  }

  #tooLong(): string {
    this.#parts = [];
    return `a message of more than ${this.#limit} bytes`;
  }
}

function parse(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
