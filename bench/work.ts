import { setTimeout as pause } from "node:timers/promises";
import { quantile } from "./statistics.ts";

/** Milliseconds for what one contender leaves behind to end before it is another's turn. */
const settling = 100;

/** One kind of work that several contenders do in turn. */
export interface Work {
  title: string;
  unit: "ms" | "MB" | "MB/s" | "lives/s" | "×";
  better: "less" | "more";
  /** What Berth is to reach, in the unit. */
  budget?: number;
  /** How often each contender does it, after `warmups` times that are not counted. */
  rounds: number;
  warmups: number;
  /** How often in a row at each turn; once by default. */
  batch?: number;
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
 * Takes all samples of works that are to be compared with each other: in every round each contender of each
 * work has its turn, each round another one first, so that what else the machine does hits all alike.
 */
export async function measure(...works: Work[]): Promise<Measured[]> {
  const tasks = works.flatMap((work) =>
    [...work.contenders].map(([name, sample]) => ({ work, name, sample, samples: [] as number[] })),
  );
  const warmups = Math.max(...works.map((work) => work.warmups));
  const rounds = warmups + Math.max(...works.map((work) => work.rounds));
  for (const work of works) await work.prepare?.();
  try {
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < tasks.length; turn++) {
        const task = tasks[(round + turn) % tasks.length];
        if (!task) continue;
        await pause(settling);
        for (let time = 0; time < (task.work.batch ?? 1); time++) {
          const value = await task.sample();
          if (round >= warmups) task.samples.push(value);
        }
      }
    }
  } finally {
    for (const work of works) await work.finish?.();
  }
  return works.map((work) => ({
    title: work.title,
    unit: work.unit,
    better: work.better,
    samples: new Map(tasks.filter((task) => task.work === work).map(({ name, samples }) => [name, samples])),
    ...(work.budget === undefined ? {} : { budget: work.budget }),
  }));
}

/** The ratio of two medians, contender by contender, as a row of its own. */
export function ratio(title: string, above: Measured, below: Measured, budget: number): Measured {
  const samples = new Map<string, number[]>();
  for (const [name, values] of above.samples) {
    const divisor = below.samples.get(name) ?? [];
    samples.set(name, [quantile(values, 0.5) / quantile(divisor, 0.5)]);
  }
  return { title, unit: "×", better: "less", samples, budget };
}

/** What milliseconds for so many megabytes come to in a second, as a row of its own. */
export function rate(title: string, measured: Measured, megabytes: number): Measured {
  const samples = new Map(
    [...measured.samples].map(([name, values]) => [name, values.map((value) => (megabytes * 1000) / value)]),
  );
  return { title, unit: "MB/s", better: "more", samples };
}
