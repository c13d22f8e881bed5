import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { system } from "../../lib/errors.ts";
import { nativeFile } from "../../lib/own-file.ts";
import type { Plan } from "../plan/plan.ts";
import { answerKind, type Frame, FrameReader, launchFrame, runFrame, type ShimOptions } from "./wire.ts";

/** A step that failed, as the launcher reports it. Step -1 is the shim's own set-up, `text` says what. */
export interface StepFailure {
  phase: number;
  step: number;
  errno: number;
  text: string;
}

/** What the launcher's channel tells of one launched process. */
export interface LaunchEvents {
  started(pid: number, startTime: number): void;
  failed(failure: StepFailure): void;
  exited(payload: Buffer): void;
  oom(): void;
  /** The shim itself was killed. */
  gone(): void;
}

/** How long after the launcher's death its shims may still answer for requests it had taken. */
const graceMs = 2000;

const died: StepFailure = { phase: 0, step: -1, errno: 5, text: "the launcher died" };

/**
 * The client of the launcher: one process per daemon, started at the first request and again when it
 * dies. Shims share its channel and outlive it, so a channel is read to its end.
 */
export class Launcher {
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #listeners = new Map<number, LaunchEvents>();
  /** Requests without an answer yet. */
  readonly #open = new Set<number>();
  readonly #onDeath: () => void;
  #child: ChildProcess | undefined;
  #channel: Socket | undefined;
  #nextId = 1;
  #closed = false;

  /** `onDeath` is called when the launcher died by itself: from then on only sockets tell of its shims. */
  constructor(
    onDeath: () => void,
    program: string = nativeFile("berth-launcher"),
    args: readonly string[] = [],
  ) {
    this.#onDeath = onDeath;
    this.#program = program;
    this.#args = args;
  }

  /** The launcher's PID once it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #connect(): Socket {
    if (this.#closed) throw system("the runtime is closed");
    if (this.#channel && this.#child) return this.#channel;
    const child = spawn(this.#program, this.#args, {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: {},
      cwd: "/",
    });
    const channel = child.stdio[3];
    if (!(channel instanceof Socket)) throw system("the launcher has no channel");
    const reader = new FrameReader();
    channel.on("data", (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) this.#receive(frame);
    });
    // A broken channel shows as the end of the process.
    channel.on("error", () => undefined);
    child.on("error", (error) => this.#dead(child, `${this.#program}: ${error.message}`));
    child.on("exit", () => this.#dead(child, died.text));
    child.unref();
    channel.unref();
    this.#child = child;
    this.#channel = channel;
    return channel;
  }

  #dead(child: ChildProcess, text: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#channel = undefined;
    const waiting = [...this.#open];
    const reject = () => {
      for (const id of waiting)
        if (this.#open.delete(id)) {
          this.#listeners.get(id)?.failed({ ...died, text });
          this.#forget(id);
        }
    };
    if (waiting.length > 0) setTimeout(reject, this.#closed ? 0 : graceMs);
    if (!this.#closed) this.#onDeath();
  }

  #receive({ id, kind, payload }: Frame): void {
    const listener = this.#listeners.get(id);
    this.#open.delete(id);
    if (!listener) return;
    if (kind === answerKind.started)
      listener.started(payload.readUInt32LE(0), Number(payload.readBigUInt64LE(8)));
    else if (kind === answerKind.oom) listener.oom();
    else {
      this.#forget(id);
      if (kind === answerKind.failed)
        listener.failed({
          phase: payload.readUInt8(0),
          step: payload.readInt32LE(1),
          errno: payload.readInt32LE(5),
          text: payload.toString("utf8", 9),
        });
      else if (kind === answerKind.gone) listener.gone();
      else listener.exited(payload);
    }
  }

  /** The channel keeps the program running as long as somebody waits for something. */
  #forget(id: number): void {
    this.#listeners.delete(id);
    if (this.#listeners.size === 0) this.#channel?.unref();
  }

  #send(id: number, frame: Buffer, events: LaunchEvents): void {
    const channel = this.#connect();
    this.#listeners.set(id, events);
    this.#open.add(id);
    channel.ref();
    channel.write(frame);
  }

  /** Asks for a process under a shim; `events` hears of it. Throws when the plan cannot be encoded. */
  launch(options: ShimOptions, plan: Plan, events: LaunchEvents): void {
    const id = this.#nextId++;
    this.#send(id, launchFrame(id, options, plan), events);
  }

  /** Runs the host steps of a plan. Resolves with what they read, one buffer per answering step. */
  run(plan: Plan): Promise<Buffer[] | StepFailure> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#send(id, runFrame(id, plan), {
        started: () => undefined,
        oom: () => undefined,
        gone: () => resolve({ ...died, text: "killed" }),
        failed: resolve,
        exited: (payload) => resolve(splitOutputs(payload)),
      });
    });
  }

  /** Stops the launcher; shims and their processes go on. */
  close(): void {
    this.#closed = true;
    this.#channel?.destroy();
  }
}

function splitOutputs(payload: Buffer): Buffer[] {
  const outputs: Buffer[] = [];
  for (let at = 0; at < payload.length; ) {
    const end = at + 4 + payload.readUInt32LE(at);
    outputs.push(payload.subarray(at + 4, end));
    at = end;
  }
  return outputs;
}
