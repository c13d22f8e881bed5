import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { system } from "../../lib/errors.ts";
import { nativeFile } from "../../lib/own-file.ts";
import type { Plan, PlanPart } from "../plan/plan.ts";
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
  /** `orphan`: its launcher is dead already, so that nobody would hear of the shim being killed. */
  started(pid: number, startTime: number, orphan: boolean): void;
  failed(failure: StepFailure): void;
  exited(payload: Buffer): void;
  oom(): void;
  /** It has done its part of the plan and waits for the next. */
  held?(): void;
  /** The shim was killed, or the launcher before it answered. */
  gone(why: string): void;
}

interface OpenRequest {
  frame: Buffer;
  dir: string | null;
  /** Whom it was sent to. */
  sentTo: ChildProcess;
}

/** After the launcher's death: how long a shim it just forked may take to make its directory… */
const beginMs = 300;
/** …and to answer. */
const answerMs = 2000;

/** The failure of a launch whose launcher or shim died. */
export const died: StepFailure = { phase: 0, step: -1, errno: 5, text: "the launcher died" };

/**
 * The client of the launcher: one process per daemon, started at the first request and again when it
 * dies. Shims share its channel and outlive it, so a channel is read to its end.
 */
export class Launcher {
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #listeners = new Map<number, LaunchEvents>();
  /** Requests without an answer yet; `dir` is the shim's directory that a launch makes first of all. */
  readonly #open = new Map<number, OpenRequest>();
  readonly #onDeath: () => void;
  /** The present launcher's and those of dead ones whose shims still hold them. */
  readonly #channels = new Set<Socket>();
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

  #connect(): { child: ChildProcess; channel: Socket } {
    if (this.#closed) throw system("the runtime is closed");
    if (this.#channel && this.#child) return { child: this.#child, channel: this.#channel };
    const child = spawn(this.#program, this.#args, {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: {},
      cwd: "/",
      // A terminal's interrupt is for the daemon, which needs it to the last.
      detached: true,
    });
    const channel = child.stdio[3];
    if (!(channel instanceof Socket)) throw system("the launcher has no channel");
    const reader = new FrameReader();
    channel.on("data", (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) this.#receive(frame, this.#child !== child);
    });
    // A broken channel shows as the end of the process.
    channel.on("error", () => undefined);
    channel.on("close", () => this.#channels.delete(channel));
    this.#channels.add(channel);
    child.on("error", (error) => this.#dead(child, `${this.#program}: ${error.message}`));
    child.on("exit", () => this.#dead(child, died.text));
    child.unref();
    channel.unref();
    this.#child = child;
    this.#channel = channel;
    return { child, channel };
  }

  #dead(child: ChildProcess, text: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#channel = undefined;
    if (this.#closed) {
      for (const id of this.#open.keys()) this.#fail(id, text);
      return;
    }
    const waiting = [...this.#open].filter(([, request]) => request.sentTo === child).map(([id]) => id);
    if (waiting.length > 0) setTimeout(() => this.#recover(waiting, text), beginMs);
    this.#onDeath();
  }

  /** Sends again what the dead launcher never took up; what it began may still answer. */
  #recover(ids: readonly number[], text: string): void {
    const begun: number[] = [];
    for (const id of ids) {
      const request = this.#open.get(id);
      if (!request) continue;
      if (request.dir === null || existsSync(request.dir)) begun.push(id);
      else this.#write(request);
    }
    if (begun.length > 0)
      setTimeout(() => {
        for (const id of begun) this.#fail(id, text);
      }, answerMs);
  }

  #fail(id: number, text: string): void {
    if (!this.#open.delete(id)) return;
    const listener = this.#listeners.get(id);
    this.#forget(id);
    listener?.gone(text);
  }

  #receive({ id, kind, payload }: Frame, orphan: boolean): void {
    const listener = this.#listeners.get(id);
    this.#open.delete(id);
    if (!listener) return;
    if (kind === answerKind.started)
      listener.started(payload.readUInt32LE(0), Number(payload.readBigUInt64LE(8)), orphan);
    else if (kind === answerKind.oom) listener.oom();
    else if (kind === answerKind.held) listener.held?.();
    else {
      this.#forget(id);
      if (kind === answerKind.failed) listener.failed(parseFailure(payload));
      else if (kind === answerKind.gone) listener.gone("the shim was killed");
      else listener.exited(payload);
    }
  }

  /** The channel keeps the program running as long as somebody waits for something. */
  #forget(id: number): void {
    this.#listeners.delete(id);
    if (this.#listeners.size === 0) for (const channel of this.#channels) channel.unref();
  }

  #write(request: Omit<OpenRequest, "sentTo">): OpenRequest {
    const { child, channel } = this.#connect();
    channel.ref();
    channel.write(request.frame);
    return Object.assign(request, { sentTo: child });
  }

  #send(id: number, frame: Buffer, dir: string | null, events: LaunchEvents): void {
    this.#open.set(id, this.#write({ frame, dir }));
    this.#listeners.set(id, events);
  }

  /** Asks for a process under a shim; `events` hears of it. Throws when the plan cannot be encoded. */
  launch(options: ShimOptions, plan: Pick<Plan | PlanPart, "steps">, events: LaunchEvents): void {
    const id = this.#nextId++;
    this.#send(id, launchFrame(id, options, plan), options.dir, events);
  }

  /** Runs the host steps of a plan. Resolves with what they read, one buffer per answering step. */
  run(plan: Plan): Promise<Buffer[] | StepFailure> {
    return this.#run(plan, "run");
  }

  /**
   * As `run`; the descriptors that the plan leaves open are the launcher's, in place of those of the last such
   * plan, until it ends.
   */
  keep(plan: Plan): Promise<Buffer[] | StepFailure> {
    return this.#run(plan, "keep");
  }

  #run(plan: Plan, kind: "run" | "keep"): Promise<Buffer[] | StepFailure> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#send(id, runFrame(id, plan, kind), null, {
        started: () => undefined,
        oom: () => undefined,
        gone: (text) => resolve({ ...died, text }),
        failed: resolve,
        exited: (payload) => resolve(splitOutputs(payload)),
      });
    });
  }

  /** Stops the launcher; shims and their processes go on. */
  close(): void {
    this.#closed = true;
    for (const channel of this.#channels) channel.destroy();
  }
}

/** The FAILED answer's payload. */
export function parseFailure(payload: Buffer): StepFailure {
  return {
    phase: payload.readUInt8(0),
    step: payload.readInt32LE(1),
    errno: payload.readInt32LE(5),
    text: payload.toString("utf8", 9),
  };
}

/** The OK answer's payload: one buffer per answering step. */
export function splitOutputs(payload: Buffer): Buffer[] {
  const outputs: Buffer[] = [];
  for (let at = 0; at < payload.length; ) {
    const end = at + 4 + payload.readUInt32LE(at);
    outputs.push(payload.subarray(at + 4, end));
    at = end;
  }
  return outputs;
}
