import type { Duplex } from "node:stream";
import {
  died,
  type LaunchEvents,
  parseFailure,
  type StepFailure,
  splitOutputs,
} from "../launcher/launcher.ts";
import {
  answerKind,
  type Frame,
  FrameReader,
  launchFrame,
  runFrame,
  type ShimOptions,
} from "../launcher/wire.ts";
import type { Plan } from "../plan/plan.ts";

/** More than any answer of a launcher that is not up to mischief. */
const answerLimit = 1 << 20;

/** The client of a launcher in a guest. What it says is the guest's word, and checked. */
export class GuestLauncher {
  readonly #stream: Duplex;
  readonly #listeners = new Map<number, LaunchEvents>();
  #nextId = 1;
  #ended = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const reader = new FrameReader(answerLimit);
    stream.on("data", (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) this.#receive(frame);
      } catch (error) {
        // Not what a launcher sends: nothing of it is believed any more.
        stream.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    stream.on("error", () => undefined);
    stream.on("close", () => this.#end());
    stream.on("end", () => this.#end());
  }

  #receive({ id, kind, payload }: Frame): void {
    const listener = this.#listeners.get(id);
    if (!listener) return;
    if (kind === answerKind.started)
      listener.started(payload.readUInt32LE(0), Number(payload.readBigUInt64LE(8)), false);
    else if (kind === answerKind.oom) listener.oom();
    else {
      if (kind === answerKind.failed) listener.failed(parseFailure(payload));
      else if (kind === answerKind.gone) listener.gone("the shim was killed");
      else listener.exited(payload);
      // Only now: one that could not be read is told by the connection's end.
      this.#listeners.delete(id);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const listener of this.#listeners.values()) listener.gone("the guest is out of reach");
    this.#listeners.clear();
  }

  #send(id: number, frame: Buffer, events: LaunchEvents): void {
    if (this.#ended) {
      events.gone("the guest is out of reach");
      return;
    }
    this.#listeners.set(id, events);
    this.#stream.write(frame, () => undefined);
  }

  launch(options: ShimOptions, plan: Plan, events: LaunchEvents): void {
    const id = this.#nextId++;
    this.#send(id, launchFrame(id, options, plan), events);
  }

  /** Runs the host steps of a plan in the guest. Resolves with what they read, one buffer per answering step. */
  run(plan: Plan): Promise<Buffer[] | StepFailure> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#send(id, runFrame(id, plan, "run"), {
        started: () => undefined,
        oom: () => undefined,
        gone: (text) => resolve({ ...died, text }),
        failed: resolve,
        exited: (payload) => resolve(splitOutputs(payload)),
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}
