/** A system call as a filter sees it: struct seccomp_data. */
export interface Call {
  /** AUDIT_ARCH_ value; x86_64 by default. */
  arch?: number;
  number: number;
  args?: bigint[];
}

export const archX64 = 0xc000003e;
export const archX86 = 0x40000003;

export const allowed = 0x7fff0000;
export const errno = (number: number): number => 0x00050000 + number;

function dataOf({ arch = archX64, number, args = [] }: Call): Buffer {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + index * 8);
  return data;
}

/** Runs a classic BPF program as the kernel does and returns its verdict, a SECCOMP_RET_ value. */
export function simulate(program: Buffer, call: Call): number {
  const data = dataOf(call);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const [ifTrue, ifFalse] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const operand = program.readUInt32LE(at * 8 + 4);
    const jump = (condition: boolean) => {
      at += condition ? ifTrue : ifFalse;
    };
    if (code === 0x20) accumulator = data.readUInt32LE(operand);
    else if (code === 0x54) accumulator = (accumulator & operand) >>> 0;
    else if (code === 0x05) at += operand;
    else if (code === 0x15) jump(accumulator === operand);
    else if (code === 0x25) jump(accumulator > operand);
    else if (code === 0x35) jump(accumulator >= operand);
    else if (code === 0x45) jump((accumulator & operand) !== 0);
    else if (code === 0x06) return operand;
    else throw new Error(`unknown instruction ${code.toString(16)} at ${at}`);
  }
  throw new Error("the program has no end");
}
