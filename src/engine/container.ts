import type { MachineControl } from "../hypervisor/machine/control.ts";
import { Mutex } from "../lib/mutex.ts";
import type { Spec } from "../runtime/oci.ts";
import type { Shim } from "../runtime/types.ts";
import type { ContainerRecord, Status } from "./record.ts";
import type { WaitCondition } from "./types.ts";

/** What a wait ends with. */
export interface Outcome {
  exitCode: number;
  error: string;
}

interface Waiter {
  condition: WaitCondition;
  resolve: (outcome: Outcome) => void;
}

/** A client that attached before the start and waits for the process. */
export interface PendingAttach {
  started(shim: Shim): void;
  failed(error: unknown): void;
}

/** What probes a container's health. */
export interface HealthMonitor {
  /** Ends the probing because the container does not run on. */
  stop(): void;
  /** Ends the probing because the engine closes; the state stays. */
  close(): void;
}

/** A container in memory: its record, its process while it runs, and those who wait for it. */
export class Container {
  readonly record: ContainerRecord;
  /** Transitions of one container happen one after the other. */
  readonly lock = new Mutex();
  /** Present while a process lives. */
  shim: Shim | null = null;
  /** Its root's read-only layers, topmost first, once they were looked up. */
  layers: string[] | null = null;
  /** What its process was started with, for processes that join it. */
  spec: Spec | null = null;
  /** A machine's hypervisor, while it runs. */
  control: MachineControl | null = null;
  /** Probes its health while it runs, when it has a health check. */
  health: HealthMonitor | null = null;
  /** What the programs of its virtual machine last said, when they did not end in order. */
  machineFailure = "";
  /** Variables of its process that are written down nowhere. */
  secretEnv: readonly string[] = [];
  /** A restart is under way: --rm does not take the container away between the two runs. */
  held = false;
  /** It is being killed to be removed: nothing starts it any more. */
  doomed = false;
  /** The last pause before a restart; 0 when the next failure is the first. */
  restartDelayMs = 0;
  /** Until it counts as one that a signal did not stop. */
  forgiving: NodeJS.Timeout | undefined;
  readonly pendingAttaches = new Set<PendingAttach>();
  readonly execIds = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  /** Called when the container stops for any reason: ends health checks, restart timers and the like. */
  readonly onStop = new Set<() => void>();

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get status(): Status {
    return this.record.state.status;
  }

  get running(): boolean {
    return this.status === "running" || this.status === "paused";
  }

  /** Resolves at the next transition that meets the condition. */
  wait(condition: WaitCondition, signal?: AbortSignal): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { condition, resolve };
      this.#waiters.add(waiter);
      signal?.addEventListener(
        "abort",
        () => {
          this.#waiters.delete(waiter);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** Tells those who wait for an exit; those who wait for the removal stay. */
  notifyExit(): void {
    this.#notify((waiter) => waiter.condition !== "removed");
  }

  /** Tells everybody who waits; with an error for those who waited for something else. */
  notifyRemoved(): void {
    this.#notify(() => true);
  }

  #notify(wants: (waiter: Waiter) => boolean): void {
    const { exitCode, error } = this.record.state;
    for (const waiter of this.#waiters) {
      if (!wants(waiter)) continue;
      this.#waiters.delete(waiter);
      // Why a start failed is told to its caller; who waits for the removal gets what was waited for.
      waiter.resolve({ exitCode, error: waiter.condition === "removed" ? "" : error });
    }
  }

  /** Runs and forgets what was registered for the stop. */
  stopped(): void {
    for (const callback of this.onStop) callback();
    this.onStop.clear();
  }
}
