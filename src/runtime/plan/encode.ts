import { operationNumbers, operations, type Slot } from "./ops.ts";
import { type Plan, type PlanPart, phases, type Step } from "./plan.ts";

const noSlot = 255;

/** Writes little-endian values into one growing buffer; what the launcher's reader reads. */
export class Writer {
  #buffer: Buffer;
  #at = 0;

  constructor(size = 16384) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  #room(size: number): void {
    if (this.#at + size <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + size));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }

  u8(value: number): this {
    this.#room(1);
    this.#buffer[this.#at++] = value;
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#at = this.#buffer.writeUInt16LE(value, this.#at);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#at = this.#buffer.writeUInt32LE(value >>> 0, this.#at);
    return this;
  }

  /** A signed or unsigned 64-bit integer, two's complement. */
  i64(value: number | bigint): this {
    this.#room(8);
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an exact integer`);
      this.#buffer.writeUInt32LE(value >>> 0, this.#at);
      this.#buffer.writeInt32LE(Math.floor(value / 0x100000000), this.#at + 4);
      this.#at += 8;
    } else {
      this.#at = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#at);
    }
    return this;
  }

  /** Length, content and a zero byte, so that the launcher can use it in place. */
  bytes(value: Uint8Array | string): this {
    if (typeof value === "string") {
      this.#room(5 + value.length * 3);
      const size = this.#buffer.write(value, this.#at + 4, "utf8");
      this.#buffer.writeUInt32LE(size, this.#at);
      this.#at += 4 + size;
    } else {
      this.#room(5 + value.length);
      this.#buffer.writeUInt32LE(value.length, this.#at);
      this.#buffer.set(value, this.#at + 4);
      this.#at += 4 + value.length;
    }
    this.#buffer[this.#at++] = 0;
    return this;
  }

  slot(slot: Slot | null): this {
    return this.u8(slot ? slot.index : noSlot);
  }

  /** Overwrites a u32 written before. */
  patch32(at: number, value: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }

  get size(): number {
    return this.#at;
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }
}

const isSlot = (value: unknown): value is Slot =>
  typeof value === "object" && value !== null && "index" in value;

function writeStep(writer: Writer, step: Step): void {
  writer.u8(operationNumbers.get(step.op) ?? noSlot).u16(step.tolerate);
  const signature = operations[step.op];
  for (let i = 0; i < signature.length; i++) {
    const value = step.args[i];
    const letter = signature[i];
    if (letter === "i" && (typeof value === "number" || typeof value === "bigint")) writer.i64(value);
    else if (letter === "s" && typeof value === "string") {
      if (value.includes("\0")) throw new RangeError(`${step.op}: a string with a zero byte`);
      writer.bytes(value);
    } else if (letter === "b" && (typeof value === "string" || value instanceof Uint8Array))
      writer.bytes(value);
    else if ((letter === "d" || letter === "o") && (value === null || isSlot(value))) writer.slot(value);
    else throw new TypeError(`${step.op}: argument ${i} does not fit its signature ${signature}`);
  }
}

/** Appends a plan or a part of one as the launcher reads it. */
export function writePlan(writer: Writer, plan: Pick<Plan | PlanPart, "steps">): void {
  for (const phase of phases) {
    const steps = plan.steps[phase];
    writer.u16(steps.length);
    for (const step of steps) writeStep(writer, step);
  }
}
