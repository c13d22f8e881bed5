import { Writer, writePlan } from "../plan/encode.ts";
import type { Slot } from "../plan/ops.ts";
import type { Plan, PlanPart } from "../plan/plan.ts";
import type { ShimLog } from "../types.ts";

/** Frames on the launcher's channel: u32 length of the payload, u32 request id, u8 kind, payload. */
export const frameHeader = 9;
export const frameLimit = 8 << 20;

export const requestKind = { launch: 1, run: 2, keep: 3 } as const;
export const answerKind = { started: 1, failed: 2, exited: 3, oom: 4, ok: 5, gone: 6, held: 7 } as const;

const logDrivers = { none: 0, "json-file": 1, local: 2 } as const;
const shimFlag = {
  tty: 1,
  stdin: 2,
  stdinOnce: 4,
  oomEventfd: 8,
  oomEvents: 16,
  lateParent: 32,
  held: 64,
} as const;

/** What a shim does beside its plan. */
export interface ShimOptions {
  id: string;
  /** The shim's directory; it makes it. */
  dir: string;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  waitForAttach: number;
  /** Seconds without progress after which a client a whole buffer behind is dropped. */
  stallSeconds: number;
  log: ShimLog;
  /** Host ids that own the pipes of the standard streams. */
  owner: { uid: number; gid: number };
  /** For clone3(2). */
  cloneFlags: number;
  /** The parent phase runs when the child asks for it by await_parent. */
  lateParent: boolean;
  /** A v2 cgroup directory to be born in. */
  cgroup: Slot | null;
  /** An eventfd of a v1 memory cgroup, or memory.events of v2. */
  oom: { kind: "eventfd" | "events"; slot: Slot } | null;
  /** The terminal's master side. */
  console: Slot | null;
  /** A descriptor that stays open until the shim ends. */
  hold: Slot | null;
  /** The plan is the first part of one: the process then waits for the next. */
  held?: boolean;
}

function frame(id: number, kind: number, write: (writer: Writer) => void): Buffer {
  const writer = new Writer().u32(0).u32(id).u8(kind);
  write(writer);
  const size = writer.size - frameHeader;
  if (size > frameLimit) throw new RangeError(`a launch of ${size} bytes; the limit is ${frameLimit}`);
  writer.patch32(0, size);
  return writer.finish();
}

/** The frame that starts a process under a shim. */
export function launchFrame(id: number, options: ShimOptions, plan: Pick<Plan | PlanPart, "steps">): Buffer {
  const { log, oom } = options;
  const flags =
    (options.tty ? shimFlag.tty : 0) |
    (options.stdin ? shimFlag.stdin : 0) |
    (options.stdinOnce ? shimFlag.stdinOnce : 0) |
    (options.lateParent ? shimFlag.lateParent : 0) |
    (options.held ? shimFlag.held : 0) |
    (oom ? (oom.kind === "eventfd" ? shimFlag.oomEventfd : shimFlag.oomEvents) : 0);
  return frame(id, requestKind.launch, (writer) => {
    writer.bytes(options.id).bytes(options.dir);
    writer.u8(flags).u8(Math.min(255, options.waitForAttach)).u16(options.stallSeconds);
    writer.u8(logDrivers[log.driver]).bytes(log.path).i64(log.maxSize).u16(log.maxFile);
    writer.bytes(log.attrs ? JSON.stringify(log.attrs) : "");
    writer.u32(options.owner.uid).u32(options.owner.gid).i64(options.cloneFlags);
    writer
      .slot(options.cgroup)
      .slot(oom?.slot ?? null)
      .slot(options.console)
      .slot(options.hold);
    writePlan(writer, plan);
  });
}

/** What a shim that holds is told on its socket: how the launch goes on. */
export function partFrame(part: PlanPart, last: boolean, waitForAttach: number): Buffer {
  const writer = new Writer()
    .u32(0)
    .u8(last ? 1 : 0)
    .u8(Math.min(255, waitForAttach));
  const header = writer.size;
  writePlan(writer, part);
  writer.patch32(0, writer.size - header);
  return writer.finish();
}

/** The frame that runs the host steps of a plan and answers with their output. */
export function runFrame(id: number, plan: Plan, kind: "run" | "keep"): Buffer {
  return frame(id, requestKind[kind], (writer) => writePlan(writer, plan));
}

export interface Frame {
  id: number;
  kind: number;
  payload: Buffer;
}

/** Cuts a stream of answer frames; keeps what is incomplete for the next chunk. Throws for one above the limit. */
export class FrameReader {
  readonly #limit: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  *push(chunk: Buffer): Generator<Frame> {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    while (data.length >= frameHeader) {
      const size = data.readUInt32LE(0);
      if (size > this.#limit) throw new RangeError(`a frame of ${size} bytes`);
      const end = frameHeader + size;
      if (data.length < end) break;
      yield { id: data.readUInt32LE(4), kind: data.readUInt8(8), payload: data.subarray(frameHeader, end) };
      data = data.subarray(end);
    }
    this.#rest = data;
  }
}
