import type { Argument, OperationArguments, OperationName, Slot } from "./ops.ts";

export const phases = ["host", "parent", "child"] as const;
/** host: before the process exists; parent: it exists and waits; child: in the new process. */
export type Phase = (typeof phases)[number];

/** One system call or file write of a plan. */
export interface Step {
  op: OperationName;
  args: readonly Argument[];
  /** What it serves, for `berth explain`: user, mounts, network, cgroup… */
  group: string;
  why: string;
  /** An errno that is no failure; `anyErrno` for all. A step whose slot is empty fails with EBADF. */
  tolerate: number;
}

/** A part of a plan; `first` says where its steps are in the whole plan's. */
export interface PlanPart {
  first: Record<Phase, number>;
  steps: Record<Phase, Step[]>;
}

export const anyErrno = 0xffff;
const slotLimit = 200;

/** A launch plan under construction: steps in order, per phase. */
export class Plan {
  readonly steps: Record<Phase, Step[]> = { host: [], parent: [], child: [] };
  /** /proc/PID of the new process, in the parent phase. */
  readonly process: Slot = { index: 0, name: "/proc/PID" };
  #slots = 1;
  #group = "";
  /** How many steps of each phase come before each division. */
  readonly #divisions: Record<Phase, number>[] = [];

  /** A new slot; `name` says what its descriptor will be. */
  slot(name: string): Slot {
    if (this.#slots >= slotLimit) throw new RangeError(`a launch plan has at most ${slotLimit} descriptors`);
    return { index: this.#slots++, name };
  }

  /** The group of the steps that follow. */
  group(name: string): this {
    this.#group = name;
    return this;
  }

  /** What follows may be sent later: the process waits for it. */
  divide(): void {
    const { host, parent, child } = this.steps;
    this.#divisions.push({ host: host.length, parent: parent.length, child: child.length });
  }

  /** The steps between two of the divisions, numbered from 1; from the beginning by 0, without `to` to the end. */
  part(from: number, to?: number): PlanPart {
    const first = this.#divisions[from - 1] ?? { host: 0, parent: 0, child: 0 };
    const end = to === undefined ? undefined : this.#divisions[to - 1];
    const cut = (phase: Phase) => this.steps[phase].slice(first[phase], end?.[phase]);
    return { first, steps: { host: cut("host"), parent: cut("parent"), child: cut("child") } };
  }

  /** Appends a step. `why` is for people; `tolerate` an errno that is no failure. */
  add<N extends OperationName>(
    phase: Phase,
    op: N,
    args: OperationArguments<N>,
    why: string,
    tolerate = 0,
  ): this {
    this.steps[phase].push({ op, args, group: this.#group, why, tolerate });
    return this;
  }
}
