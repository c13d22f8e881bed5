/** Instructions of BPF programs, as in bpf.h: opcode, registers, offset, immediate; 8 bytes each. */
export interface Instruction {
  code: number;
  destination?: number;
  source?: number;
  offset?: number;
  immediate?: number;
}

export function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach((instruction, index) => {
    const at = index * 8;
    bytes.writeUInt8(instruction.code, at);
    bytes.writeUInt8((instruction.destination ?? 0) | ((instruction.source ?? 0) << 4), at + 1);
    bytes.writeInt16LE(instruction.offset ?? 0, at + 2);
    bytes.writeInt32LE(instruction.immediate ?? 0, at + 4);
  });
  return bytes;
}

/** How many bytes are moved: the size bits of an opcode. */
const SIZE = { 2: 0x08, 4: 0x00, 8: 0x18 } as const;
type Size = keyof typeof SIZE;

/** Arguments of calls are in 1 to 5, their result in 0; calls leave 6 to 9 alone; 10 is the stack's upper end. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

const MAP_BY_INDEX = 5;

/** Writes a program instruction by instruction; jumps go forward, to labels. */
export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #jumps: { at: number; to: string }[] = [];
  readonly #labels = new Map<string, number>();

  label(name: string): this {
    this.#labels.set(name, this.#instructions.length);
    return this;
  }

  move(destination: Register, source: Register): this {
    return this.#add({ code: 0xbf, destination, source });
  }

  set(destination: Register, immediate: number): this {
    return this.#add({ code: 0xb7, destination, immediate });
  }

  addTo(destination: Register, immediate: number): this {
    return this.#add({ code: 0x07, destination, immediate });
  }

  and(destination: Register, immediate: number): this {
    return this.#add({ code: 0x57, destination, immediate });
  }

  setWide(destination: Register, immediate: bigint): this {
    const [low, high] = [0n, 32n].map((shift) => Number(BigInt.asIntN(32, immediate >> shift)));
    this.#add({ code: 0x18, destination, immediate: low });
    return this.#add({ code: 0, immediate: high });
  }

  /** Takes the lower two bytes as a number in network order. */
  toBigEndian16(destination: Register): this {
    return this.#add({ code: 0xdc, destination, immediate: 16 });
  }

  /** destination = *(source + offset) */
  load(size: Size, destination: Register, source: Register, offset: number): this {
    return this.#add({ code: 0x61 | SIZE[size], destination, source, offset });
  }

  /** *(destination + offset) = source */
  store(size: Size, destination: Register, offset: number, source: Register): this {
    return this.#add({ code: 0x63 | SIZE[size], destination, offset, source });
  }

  /** The map that the loader knows by this number. */
  map(destination: Register, index: number): this {
    this.#add({ code: 0x18, destination, source: MAP_BY_INDEX, immediate: index });
    return this.#add({ code: 0 });
  }

  call(helper: number): this {
    return this.#add({ code: 0x85, immediate: helper });
  }

  exit(): this {
    return this.#add({ code: 0x95 });
  }

  /** Jumps when the lower 32 bits of a register are, or are not, a number. */
  jumpIf(register: Register, verb: "is" | "is not", immediate: number, to: string): this {
    return this.#jump({ code: verb === "is" ? 0x16 : 0x56, destination: register, immediate }, to);
  }

  /** Jumps when a pointer is null: all of its 64 bits count. */
  jumpIfNull(register: Register, to: string): this {
    return this.#jump({ code: 0x15, destination: register, immediate: 0 }, to);
  }

  /** And when it is not. */
  jumpUnlessNull(register: Register, to: string): this {
    return this.#jump({ code: 0x55, destination: register, immediate: 0 }, to);
  }

  jump(to: string): this {
    return this.#jump({ code: 0x05 }, to);
  }

  jumpIfRegister(register: Register, verb: "is" | "is not" | "is above", other: Register, to: string): this {
    const code = { is: 0x1d, "is not": 0x5d, "is above": 0x2d }[verb];
    return this.#jump({ code, destination: register, source: other }, to);
  }

  /** The program's bytes. Throws RangeError for a jump to nowhere. */
  finish(): Buffer {
    for (const { at, to } of this.#jumps) {
      const target = this.#labels.get(to);
      if (target === undefined) throw new RangeError(`a BPF program has no label ${to}`);
      const instruction = this.#instructions[at];
      if (instruction) instruction.offset = target - at - 1;
    }
    return encode(this.#instructions);
  }

  #add(instruction: Instruction): this {
    this.#instructions.push(instruction);
    return this;
  }

  #jump(instruction: Instruction, to: string): this {
    this.#jumps.push({ at: this.#instructions.length, to });
    return this.#add(instruction);
  }
}
