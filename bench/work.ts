import { quantile } from "./statistics.ts";

/** One kind of work that several contenders do in turn. */
export interface Work {
  title: string;
  unit: "ms" | "MB" | "lives/s" | "×";
  better: "less" | "more";
  /** What Berth is to reach, in the unit. */
  budget?: number;
  /** How often each contender does it. */
  rounds: number;
  /** Does it once; answers the measured value in the unit. */
  contenders: Map<string, () => Promise<number>>;
  prepare?(): Promise<void>;
  finish?(): Promise<void>;
}

export interface Measured {
  title: string;
  unit: Work["unit"];
  better: Work["better"];
  budget?: number;
  samples: Map<string, number[]>;
}

/**
 * Takes all samples of a work: in every round each contender once, each round another one first, so that
 * what else the machine does hits all alike. The first round is not counted.
 */
export async function measure(work: Work): Promise<Measured> {
  const names = [...work.contenders.keys()];
  const samples = new Map(names.map((name): [string, number[]] => [name, []]));
  await work.prepare?.();
  try {
    for (let round = 0; round <= work.rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(round + turn) % names.length] ?? "";
        const value = await work.contenders.get(name)?.();
        if (round > 0 && value !== undefined) samples.get(name)?.push(value);
      }
    }
  } finally {
    await work.finish?.();
  }
  const { title, unit, better, budget } = work;
  return { title, unit, better, samples, ...(budget === undefined ? {} : { budget }) };
}

/** The ratio of two medians, contender by contender, as a row of its own. */
export function ratio(title: string, above: Measured, below: Measured, budget?: number): Measured {
  const samples = new Map<string, number[]>();
  for (const [name, values] of above.samples) {
    const divisor = below.samples.get(name) ?? [...below.samples.values()][0] ?? [];
    samples.set(name, [quantile(values, 0.5) / quantile(divisor, 0.5)]);
  }
  return { title, unit: "×", better: "less", samples, ...(budget === undefined ? {} : { budget }) };
}
