/** Runs BPF programs in tests as the kernel would. */
import assert from "node:assert/strict";

export interface Pointer {
  memory: Buffer;
  at: number;
}
export type Value = number | bigint | Pointer;

/** What the kernel is to a program. */
export interface Kernel {
  context: Buffer;
  /** Pointers that fields of the context have, by their offset. */
  pointers: Record<number, Pointer>;
  /** Helper functions by number; of their arguments as many as they take. */
  helpers: Record<number, (...args: Value[]) => Value>;
}

export const number = (value: Value | undefined): number =>
  typeof value === "number" ? value : assert.fail(`${typeof value} is no number`);
export const pointer = (value: Value | undefined): Pointer =>
  typeof value === "object" ? value : assert.fail(`${value} is no pointer`);

/** Maps are the numbers by which the loader knows them. */
const MAP_BY_INDEX = 5;
const sizes: Record<number, number> = { 8: 2, 0: 4, 24: 8 };

/** What a program answers with. Fails on what the verifier would refuse, as far as it is seen. */
export function execute(program: Buffer, kernel: Kernel): Value {
  const { context } = kernel;
  const registers: Value[] = [];
  registers[1] = { memory: context, at: 0 };
  registers[10] = { memory: Buffer.alloc(512), at: 512 };
  for (let at = 0; at < program.length / 8; at++) {
    const base = at * 8;
    const code = program.readUInt8(base);
    const destination = program.readUInt8(base + 1) & 15;
    const source = program.readUInt8(base + 1) >> 4;
    const offset = program.readInt16LE(base + 2);
    const immediate = program.readInt32LE(base + 4);
    const [left, right] = [registers[destination], registers[source]];
    const size = sizes[code & 0x18] ?? 0;
    const jump = (condition: boolean): void => {
      if (condition) at += offset;
    };
    if ((code & 0xe7) === 0x61) {
      const { memory, at: start } = pointer(right);
      const found = memory === context ? kernel.pointers[start + offset] : undefined;
      registers[destination] = found ?? memory.readUIntLE(start + offset, size);
    } else if ((code & 0xe7) === 0x63) {
      const { memory, at: start } = pointer(left);
      if (size === 8) memory.writeBigUInt64LE(BigInt(number(right)), start + offset);
      else memory.writeUIntLE(number(right) % 2 ** (8 * size), start + offset, size);
    } else if (code === 0xb7) registers[destination] = immediate;
    else if (code === 0xbf) registers[destination] = right ?? assert.fail("an unset register");
    else if (code === 0x07)
      registers[destination] =
        typeof left === "object" ? { ...left, at: left.at + immediate } : number(left) + immediate;
    else if (code === 0x57) registers[destination] = number(left) & immediate;
    else if (code === 0x77) registers[destination] = number(left) >>> immediate;
    else if (code === 0xdc) registers[destination] = ((number(left) & 0xff) << 8) | (number(left) >> 8);
    else if (code === 0x18 && source === MAP_BY_INDEX) {
      registers[destination] = immediate;
      at++;
    } else if (code === 0x18)
      registers[destination] = (BigInt(program.readInt32LE(++at * 8 + 4)) << 32n) + BigInt(immediate >>> 0);
    else if (code === 0x85) {
      const helper = kernel.helpers[immediate] ?? assert.fail(`helper ${immediate}`);
      registers[0] = helper(...registers.slice(1, 6));
      for (let argument = 1; argument <= 5; argument++) delete registers[argument];
    } else if (code === 0x05) jump(true);
    else if (code === 0x15) jump(left === immediate);
    else if (code === 0x55) jump(left !== immediate);
    else if (code === 0x16) jump((number(left) | 0) === immediate);
    else if (code === 0x56) jump((number(left) | 0) !== immediate);
    else if (code === 0x1d) jump(left === right);
    else if (code === 0x5d) jump(left !== right);
    else if (code === 0x2d) jump(pointer(left).at > pointer(right).at);
    else if (code === 0x95) return registers[0] ?? assert.fail("no result");
    else assert.fail(`opcode ${code}`);
  }
  assert.fail("fell off the end");
}
