/**
 * What a seccomp filter decides, taken apart: for a known architecture and call number all that is left
 * of a classic BPF program are its tests of arguments.
 */

/** BPF opcodes that seccomp filters are made of; see bpf_common.h. */
export const bpf = {
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  ifEqual: 0x15,
  ifGreater: 0x25,
  ifGreaterOrEqual: 0x35,
  ifSet: 0x45,
  return: 0x06,
} as const;

export interface Instruction {
  code: number;
  /** Instructions skipped when the test holds, and when it does not. */
  yes: number;
  no: number;
  operand: number;
}

/** A verdict, or a test of one half of an argument and what follows either way. */
export type Decision =
  | { verdict: number }
  | { offset: number; mask: number; test: number; operand: number; yes: Decision; no: Decision };

/** Where struct seccomp_data has the call number and the architecture. */
export const data = { number: 0, architecture: 4 } as const;

/** Too strange a program to be taken apart. It may be right all the same. */
export class Undecidable extends Error {}

export function decode(program: Buffer): Instruction[] {
  const instructions: Instruction[] = [];
  for (let at = 0; at < program.length; at += 8)
    instructions.push({
      code: program.readUInt16LE(at),
      yes: program.readUInt8(at + 2),
      no: program.readUInt8(at + 3),
      operand: program.readUInt32LE(at + 4),
    });
  return instructions;
}

export function encode(instructions: readonly Instruction[]): Buffer {
  const program = Buffer.alloc(instructions.length * 8);
  for (const [index, { code, yes, no, operand }] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(yes, index * 8 + 2);
    program.writeUInt8(no, index * 8 + 3);
    program.writeUInt32LE(operand, index * 8 + 4);
  }
  return program;
}

export const isTest = (code: number): boolean =>
  code === bpf.ifEqual || code === bpf.ifGreater || code === bpf.ifGreaterOrEqual || code === bpf.ifSet;

/** A call of which all but the arguments is known. */
export interface PartialCall {
  architecture: number;
  number: number;
  /** Gets every architecture that the program asks for on its way. */
  asked?: Set<number>;
}

/** The call's number or architecture, or a word of its data under a mask. */
type Accumulator = "number" | "architecture" | { offset: number; mask: number };

/** What the program decides for a call of which only the arguments are open. */
export function decide(
  instructions: readonly Instruction[],
  call: PartialCall,
  start = 0,
  held: Accumulator = "number",
): Decision {
  let accumulator = held;
  for (let at = start; ; at++) {
    const instruction = instructions[at];
    if (!instruction) throw new Undecidable("no end");
    const { code, yes, no, operand } = instruction;
    if (code === bpf.return) return { verdict: operand };
    if (code === bpf.load) accumulator = loaded(operand);
    else if (code === bpf.jump) at += operand;
    else if (code === bpf.and) {
      if (typeof accumulator === "string") throw new Undecidable("arithmetic on the call itself");
      accumulator = { ...accumulator, mask: (accumulator.mask & operand) >>> 0 };
    } else if (!isTest(code)) throw new Undecidable(`opcode ${code}`);
    else if (typeof accumulator === "string") at += holds(accumulator, call, instruction) ? yes : no;
    else
      return {
        ...accumulator,
        test: code,
        operand,
        yes: decide(instructions, call, at + 1 + yes, accumulator),
        no: decide(instructions, call, at + 1 + no, accumulator),
      };
  }
}

function loaded(offset: number): Accumulator {
  if (offset === data.number) return "number";
  return offset === data.architecture ? "architecture" : { offset, mask: 0xffffffff };
}

function holds(of: "number" | "architecture", call: PartialCall, { code, operand }: Instruction): boolean {
  const value = call[of];
  if (of === "architecture") call.asked?.add(operand);
  if (code === bpf.ifEqual) return value === operand;
  // Only the order of call numbers means anything; no bit of them does.
  if (of === "architecture" || code === bpf.ifSet) throw new Undecidable("an unusual test");
  return code === bpf.ifGreater ? value > operand : value >= operand;
}

/** Text that is the same for decisions that are. */
export const keyOf = (decision: Decision): string => JSON.stringify(decision);
