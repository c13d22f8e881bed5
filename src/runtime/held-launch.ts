import type { Socket } from "node:net";
import { constants } from "node:os";
import { connectSocket } from "../lib/unix-socket.ts";
import type { LaunchEvents, Launcher, StepFailure } from "./launcher/launcher.ts";
import { launchFrame, partFrame } from "./launcher/wire.ts";
import { phases } from "./plan/plan.ts";
import { abandon } from "./shim/abandon.ts";
import { attach } from "./shim/attachment.ts";
import { ShimConnection } from "./shim/connection.ts";
import { readPid } from "./shim/exit.ts";
import type { PlannedLaunch } from "./spec/launch.ts";
import type { ShimAttachment } from "./types.ts";

/** What a shim fails with whose process died while it waited. */
const { ECANCELED } = constants.errno;

/** The beginning of a launch that nobody has asked for yet. Its process waits for the rest. */
export class HeldLaunch {
  /** Resolves with whether it waits now. */
  readonly ready: Promise<boolean>;
  /** Resolves when nothing of it is left but its control group. */
  readonly undone: Promise<void>;
  readonly #planned: PlannedLaunch;
  /** The first parts as they are sent. */
  readonly #parts: readonly [Buffer, Buffer];
  #sent = 1;
  /** It ended before the process had anything of the part that its launch came with. */
  failedEarly = false;
  /** How many of them were done. */
  #done = 0;
  #control: Socket | null = null;
  #over = false;
  #settleReady: (ready: boolean) => void = () => undefined;
  #settleUndone: () => void = () => undefined;
  #launch: { planned: PlannedLaunch; events: LaunchEvents } | null = null;

  constructor(launcher: Launcher, planned: PlannedLaunch) {
    this.#planned = planned;
    this.#parts = [encoded(planned, 0), encoded(planned, 1)];
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    this.undone = new Promise((resolve) => {
      this.#settleUndone = resolve;
    });
    launcher.launch({ ...planned.options, waitForAttach: 0, held: true }, planned.plan.part(0, 1), {
      held: () => this.#hold(),
      started: (...what) => this.#launch?.events.started(...what),
      exited: (payload) => this.#launch?.events.exited(payload),
      oom: () => this.#launch?.events.oom(),
      failed: (failure) => this.#fail(failure),
      gone: (why) => {
        // The shim writes down its process before that goes on to the end.
        this.failedEarly = readPid(planned.options.dir) === null;
        if (this.#launch) this.#launch.events.gone(why);
        else abandon(planned.options.dir);
        this.#end();
      },
    });
  }

  /** Goes on by a part with the launch that it was made for; false when it cannot. */
  advance(): boolean {
    if (!this.#goesOn || this.#sent > 1) return false;
    this.#control?.write(this.#parts[1]);
    this.#sent = 2;
    return true;
  }

  /** Whether a launch begins, byte for byte, with what was sent here, and the process can go on with its rest. */
  isBeginningOf(planned: PlannedLaunch): boolean {
    if (!this.#goesOn) return false;
    if (planned === this.#planned) return true;
    return this.#parts.every((part, at) => at >= this.#sent || part.equals(encoded(planned, at)));
  }

  /** Its process waits, or will when it has done what was sent. */
  get #goesOn(): boolean {
    return this.#control !== null && !this.#over && !this.#launch;
  }

  /** Goes on to the end of the launch that `isBeginningOf` was asked about; `events` hears of it from now on. */
  finish(planned: PlannedLaunch, waitForAttach: number, events: LaunchEvents): void {
    this.#launch = { planned, events };
    this.#control?.write(partFrame(planned.plan.part(this.#sent), true, waitForAttach));
  }

  /** Connects to its streams; null when it has not gone on. */
  attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<ShimAttachment> | null {
    if (!this.#goesOn || this.#sent === 1) return null;
    const attachment = attach((events) => ShimConnection.open(this.#socket, events), options);
    attachment.catch(() => undefined);
    return attachment;
  }

  get #socket(): string {
    return `${this.#planned.options.dir}/shim.sock`;
  }

  /** Undoes it, unless it has become a launch. Resolves when it is undone. */
  async giveUp(): Promise<void> {
    if (this.#launch && !this.failedEarly) return;
    // The shim takes the end of its connection for that, and waits for one first.
    if (!this.#over && (await this.ready)) this.#control?.destroy();
    await this.undone;
  }

  #hold(): void {
    if (this.#done++ > 0) return;
    const control = connectSocket(this.#socket);
    // A broken connection is the end of the shim, which the launcher tells of.
    control.on("error", () => undefined);
    control.unref();
    this.#control = control;
    this.#settleReady(true);
  }

  #fail(failure: StepFailure): void {
    this.#end();
    if (!this.#launch) return;
    const { planned, events } = this.#launch;
    const { first } = planned.plan.part(this.#done);
    this.failedEarly = this.#done < this.#sent || failure.errno === ECANCELED;
    const phase = phases[failure.phase] ?? "host";
    events.failed({ ...failure, step: failure.step < 0 ? failure.step : failure.step + first[phase] });
  }

  #end(): void {
    this.#over = true;
    this.#control?.destroy();
    this.#settleReady(false);
    this.#settleUndone();
  }
}

/** What is sent for a part of a launch, but for what changes from one sending to the next. */
function encoded({ plan, options }: PlannedLaunch, part: number): Buffer {
  const steps = plan.part(part, part + 1);
  return part === 0
    ? launchFrame(0, { ...options, waitForAttach: 0, held: true }, steps)
    : partFrame(steps, false, 0);
}
