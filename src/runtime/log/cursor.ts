import type { LogFormat, LogRecord } from "./record.ts";
import type { Segment } from "./segments.ts";

const BLOCK = 64 * 1024;

/** A place in a log file that moves on as records are read. */
export class Cursor {
  readonly segment: Segment;
  readonly #format: LogFormat;
  readonly #end: number;
  #position: number;
  #data: Buffer = Buffer.alloc(0);
  #damaged = false;

  /** Reads from `offset` on, and nothing from `end` on. */
  constructor(segment: Segment, format: LogFormat, offset: number, end: number) {
    this.segment = segment;
    this.#format = format;
    this.#position = offset;
    this.#end = end;
  }

  /** Complete records up to the present end of the file; called again, those that came since. */
  async *records(signal?: AbortSignal): AsyncGenerator<LogRecord> {
    while (!this.#damaged && !signal?.aborted) {
      const size = Math.min(BLOCK, this.#end - this.#position);
      if (size <= 0) return;
      const block = Buffer.allocUnsafe(size);
      const { bytesRead } = await this.segment.handle.read(block, 0, size, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const fresh = block.subarray(0, bytesRead);
      this.#data = this.#data.length > 0 ? Buffer.concat([this.#data, fresh]) : fresh;
      for (;;) {
        const length = this.#format.measure(this.#data);
        if (length < 0) this.#damaged = true;
        if (length <= 0) break;
        const record = this.#format.decode(this.#data.subarray(0, length));
        this.#data = this.#data.subarray(length);
        if (record) yield record;
      }
    }
  }
}
