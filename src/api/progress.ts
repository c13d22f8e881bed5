import { BerthError } from "../lib/errors.ts";
import type { Context } from "./context.ts";

/** Docker's stream of progress: JSON objects, each on a line of its own. */
export class ProgressStream {
  readonly #context: Context;
  readonly #type: string;
  #begun = false;

  constructor(context: Context, type = "application/json") {
    this.#context = context;
    this.#type = type;
  }

  /** Sends a line, and before the first one the headers. */
  send(line: object): void {
    if (!this.#begun) this.begin();
    this.write(Buffer.from(`${JSON.stringify(line)}\r\n`));
  }

  /** Writes a line to the answer. */
  protected write(line: Buffer): void {
    this.#context.response.write(line);
  }

  /** Sends the headers now: from here on a failure is a line of the stream. */
  begin(): void {
    this.#begun = true;
    this.#context.begin(this.#type);
  }

  /** Runs work that reports its progress, and tells of its failure in the way that is still open. */
  async run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (!this.#begun) this.begin();
    } catch (error) {
      if (!this.#begun || !(error instanceof Error)) throw error;
      const exitCode = "exitCode" in error ? error.exitCode : undefined;
      const code =
        exitCode !== undefined ? { code: exitCode } : error instanceof BerthError ? {} : { code: 500 };
      this.send({ errorDetail: { ...code, message: error.message }, error: error.message });
    }
    this.#context.response.end();
  }
}
