import {
  bpf,
  type Decision,
  data,
  decide,
  decode,
  encode,
  type Instruction,
  isTest,
  keyOf,
  Undecidable,
} from "./decide.ts";

/** From `first` on, up to the next range's, all calls are decided alike. */
interface Range {
  first: number;
  decision: Decision;
}

/**
 * Numbers at which a program's decisions can change: those it compares anything with, and their
 * successors. Between two of them it cannot tell calls apart.
 */
function breakpoints(instructions: readonly Instruction[]): number[] {
  const points = new Set([0]);
  for (const { code, operand } of instructions)
    if (isTest(code)) {
      points.add(operand);
      if (operand < 0xffffffff) points.add(operand + 1);
    }
  return [...points].sort((a, b) => a - b);
}

/** The ranges of call numbers that an architecture's calls fall into. */
function rangesOf(
  instructions: readonly Instruction[],
  points: readonly number[],
  architecture: number,
  asked: Set<number>,
): Range[] {
  const ranges: Range[] = [];
  let last = "";
  for (const first of points) {
    const decision = decide(instructions, { architecture, number: first, asked });
    const key = keyOf(decision);
    if (key !== last) ranges.push({ first, decision });
    last = key;
  }
  return ranges;
}

/** As far as a test can jump. */
const reach = 255;

/** Writes a program from its end to its beginning, so that every jump's target is known. */
class Writer {
  /** In reverse. */
  readonly #code: Instruction[] = [];
  readonly #placed = new Map<string, number>();

  /** The position of a decision's code, near enough to be jumped to. */
  decision(decision: Decision): number {
    const key = keyOf(decision);
    const known = this.#placed.get(key);
    // Room for the instructions that may come between the code and the jump to it.
    if (known !== undefined && this.#code.length - known < reach - 8) return known;
    const position = "verdict" in decision ? this.#push(bpf.return, decision.verdict) : this.#test(decision);
    this.#placed.set(key, position);
    return position;
  }

  #test({ offset, mask, test, operand, yes, no }: Exclude<Decision, { verdict: number }>): number {
    this.branch(test, operand, this.decision(yes), this.decision(no));
    if (mask !== 0xffffffff) this.#push(bpf.and, mask);
    return this.#push(bpf.load, offset);
  }

  /** A test and where it goes on. */
  branch(test: number, operand: number, yes: number, no: number): number {
    const near = [yes, no].map((target) => this.#near(target));
    const at = this.#code.length;
    return this.#push(test, operand, at - (near[0] ?? 0) - 1, at - (near[1] ?? 0) - 1);
  }

  /** Loads a word of the call's data before what was written last. */
  load(offset: number): number {
    return this.#push(bpf.load, offset);
  }

  /** The program's beginning, from which the first test of the architecture is reached. */
  enter(target: number): void {
    if (target !== this.#code.length - 1) this.#push(bpf.jump, this.#code.length - target - 1);
    this.load(data.architecture);
  }

  /** The target, or a jump to it from nearby. */
  #near(target: number): number {
    const distance = this.#code.length - target;
    return distance < reach - 2 ? target : this.#push(bpf.jump, distance - 1);
  }

  #push(code: number, operand: number, yes = 0, no = 0): number {
    return this.#code.push({ code, operand, yes, no }) - 1;
  }

  get program(): Buffer {
    return encode(this.#code.toReversed());
  }
}

/** A search by halves for the range that a call number is in. */
function search(writer: Writer, ranges: readonly Range[]): number {
  const [only] = ranges;
  if (ranges.length === 1 && only) return writer.decision(only.decision);
  const middle = ranges.length >> 1;
  const right = search(writer, ranges.slice(middle));
  const left = search(writer, ranges.slice(0, middle));
  return writer.branch(bpf.ifGreaterOrEqual, ranges[middle]?.first ?? 0, right, left);
}

/** Writes one architecture's part; returns where it begins. */
function section(writer: Writer, ranges: readonly Range[]): number {
  const [only] = ranges;
  if (ranges.length === 1 && only) return writer.decision(only.decision);
  search(writer, ranges);
  return writer.load(data.number);
}

/** No architecture has it. */
const foreign = 0xffffffff;

/**
 * A filter that decides every call as the given one does, in fewer instructions: calls next to each
 * other with one verdict need one test. The kernel checks and translates a filter for each process that
 * loads it, which a container's start has to wait for. Returns the given program when it cannot be
 * taken apart.
 */
export function compact(program: Buffer): Buffer {
  try {
    const instructions = decode(program);
    const points = breakpoints(instructions);
    const architectures = new Set<number>();
    const writer = new Writer();
    let next = section(writer, rangesOf(instructions, points, foreign, architectures));
    // Each architecture's part can ask for further ones: the set grows while it is gone through.
    for (const architecture of architectures) {
      const own = section(writer, rangesOf(instructions, points, architecture, architectures));
      next = writer.branch(bpf.ifEqual, architecture, own, next);
    }
    writer.enter(next);
    return writer.program.length < program.length ? writer.program : program;
  } catch (error) {
    if (error instanceof Undecidable) return program;
    throw error;
  }
}
