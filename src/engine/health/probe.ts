import type { HealthcheckResult } from "@docker/node-sdk";
import { goDuration } from "../../lib/go-duration.ts";
import type { ExecTable } from "../exec.ts";
import type { Attachment } from "../types.ts";
import type { HealthCheck } from "./config.ts";

const MAX_OUTPUT = 4096;
const SIGKILL = 9;

/**
 * Runs a health check once, as an exec in the container. Never rejects: what goes wrong is a result
 * with exit code -1, as for a check that was still running after its timeout and was killed.
 */
export async function runProbe(
  execs: ExecTable,
  containerId: string,
  check: HealthCheck,
  stop: AbortSignal,
): Promise<HealthcheckResult> {
  const Start = new Date();
  const result = (ExitCode: number, Output: string): HealthcheckResult => ({
    Start,
    End: new Date().toISOString(),
    ExitCode,
    Output,
  });
  let id = "";
  try {
    const { Id } = await execs.create(containerId, {
      Cmd: check.command,
      AttachStdout: true,
      AttachStderr: true,
    });
    id = Id;
    const attachment = await execs.start(Id);
    const output = new Output(attachment);
    const ended = Promise.all([execs.wait(Id), output.done]).then(([exitCode]) => exitCode);
    const exitCode = await within(ended, check.timeout, stop);
    if (exitCode !== null) return result(exitCode, output.text);
    await execs.kill(Id, SIGKILL);
    attachment?.close();
    // A frozen container's process dies when it is thawed; nobody waits for that.
    if (!stop.aborted) await execs.wait(Id);
    const shown = output.text === "" ? "" : `: ${output.text}`;
    return result(-1, `Health check exceeded timeout (${goDuration(check.timeout)})${shown}`);
  } catch (error) {
    return result(-1, error instanceof Error ? error.message : String(error));
  } finally {
    execs.forget(id);
  }
}

/** The beginning of what a probe prints on both streams. */
class Output {
  readonly done: Promise<void>;
  readonly #parts: Buffer[] = [];
  #size = 0;
  #cut = false;

  constructor(attachment: Attachment | null) {
    this.done = this.#read(attachment);
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString() + (this.#cut ? "..." : "");
  }

  async #read(attachment: Attachment | null): Promise<void> {
    if (!attachment) return;
    for await (const { data } of attachment.output) {
      const part = data.subarray(0, MAX_OUTPUT - this.#size);
      this.#size += part.length;
      if (part.length > 0) this.#parts.push(part);
      if (part.length < data.length) this.#cut = true;
    }
  }
}

/** Null when the time is over or the checks are to stop. */
async function within<T>(promise: Promise<T>, ms: number, stop: AbortSignal): Promise<T | null> {
  let giveUp = (): void => undefined;
  const late = new Promise<null>((resolve) => {
    giveUp = () => resolve(null);
  });
  const timer = setTimeout(giveUp, ms);
  stop.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", giveUp);
  }
}
