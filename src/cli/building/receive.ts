import { lineChannel, outputChannel, readBuildFrames } from "../../lib/build-frames.ts";
import { fs } from "../builtin.ts";
import { unpackTree } from "../copy/unpack.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";
import { saveBody } from "../io/files.ts";
import { err } from "../io/output.ts";
import type { OutputDestination, WantedOutput } from "./outputs.ts";

/** Bytes on their way to somebody who takes them at his own pace. */
class Handover {
  #waiting: { data: Buffer; taken: () => void } | null = null;
  #wake: (() => void) | null = null;
  #end: { error?: Error } | null = null;

  /** Resolves when it has been taken, or nobody takes it any more. */
  put(data: Buffer): Promise<void> {
    return new Promise((taken) => {
      if (this.#end) return taken();
      this.#waiting = { data, taken };
      this.#wake?.();
    });
  }

  get ended(): boolean {
    return this.#end !== null;
  }

  end(error?: Error): void {
    this.#end ??= error ? { error } : {};
    this.#waiting?.taken();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const next = this.#waiting;
      if (next) {
        this.#waiting = null;
        try {
          yield next.data;
        } finally {
          next.taken();
        }
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error;
        return;
      } else
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
    }
  }
}

/**
 * Takes a framed answer apart: gives the lines on, and puts the archives of outputs where they are wanted.
 * Throws `CliError` for what cannot be written.
 */
export async function* receiveOutputs(
  body: AsyncIterable<Buffer>,
  outputs: readonly WantedOutput[],
): AsyncGenerator<Buffer, void, undefined> {
  const takers = new Map<number, { handover: Handover; done: Promise<void> }>();
  for (const [place, { destination }] of outputs.entries()) {
    if (!destination) continue;
    const handover = new Handover();
    const data = handover[Symbol.asyncIterator]();
    const done = take(data, destination).finally(() => {
      handover.end();
      return data.return();
    });
    done.catch(() => undefined);
    takers.set(outputChannel(place), { handover, done });
  }
  try {
    for await (const { channel, data } of readBuildFrames(body)) {
      if (channel === lineChannel) {
        yield data;
        continue;
      }
      const taker = takers.get(channel);
      if (!taker) throw new CliError(`the daemon sent an output that was not asked for (${channel})`);
      if (data.length > 0) await taker.handover.put(data);
      else taker.handover.end();
      // Whoever takes no more has all of it, or says why not.
      if (data.length === 0 || taker.handover.ended) await taker.done;
    }
  } finally {
    for (const { handover, done } of takers.values()) {
      handover.end(new CliError("the build ended before its output was complete"));
      await done.catch(() => undefined);
    }
  }
}

/** A file or directory appears when the first bytes come: a build that fails leaves nothing. */
async function take(
  data: AsyncGenerator<Buffer, void, undefined>,
  destination: OutputDestination,
): Promise<void> {
  const first = await data.next();
  if (first.done) return;
  const all = (async function* (): AsyncGenerator<Buffer, void, undefined> {
    yield first.value;
    yield* data;
  })();
  if (destination.kind === "file") return saveBody(all, destination.path);
  try {
    fs.mkdirSync(destination.path, { recursive: true });
  } catch (error) {
    throw new CliError(openError(destination.path, error));
  }
  const directory = fs.realpathSync(destination.path);
  const left = { count: 0 };
  await unpackTree(all, { directory, onDevice: () => void left.count++ });
  if (left.count > 0) err(`${left.count} device files were left out of ${destination.path}\n`);
}
