import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";
import { type LargeImage, largeName } from "./large-image.ts";
import type { Daemon } from "./peers/daemon.ts";
import { residentBytes } from "./processes.ts";
import { pushHost } from "./registry.ts";
import { timed } from "./statistics.ts";
import type { Work } from "./work.ts";

const megabyte = 1024 * 1024;
const name = `${largeName}:1`;
const pushed = `${pushHost}/bench/large:1`;

/** What `docker`, the same client for every engine, is told to do with images. */
export interface ImageBench {
  docker: string;
  image: LargeImage;
  directory: string;
  rounds: number;
  /** Empties the registry that is pushed to. */
  emptyRegistry(): void;
}

const docker = (bench: ImageBench, daemon: Daemon, ...args: string[]): Promise<void> =>
  run(bench.docker, ["-H", `unix://${daemon.socket}`, ...args]);

/**
 * Milliseconds that work took, and the largest memory of the daemon's processes meanwhile, in MB. What processes
 * share is counted with each, also for the moment in which a program is being started and shares all with the
 * daemon: parts of it would be those of other daemons of the machine too.
 */
async function observed(daemon: Daemon, work: () => Promise<void>): Promise<{ took: number; most: number }> {
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, residentBytes(daemon.processes) / megabyte);
  }, 50);
  try {
    return { took: await timed(work), most };
  } finally {
    clearInterval(look);
  }
}

/** Unpacks the layers one after the other with tar, the way that needs no engine. */
async function unpackPlainly(image: LargeImage, directory: string, packed: boolean): Promise<number> {
  const target = join(directory, "plainly");
  mkdirSync(target);
  const command = packed
    ? `for f in ${image.packed.join(" ")}; do gzip -dc "$f" | tar x -C ${target}; done`
    : `for f in ${image.plain.join(" ")}; do tar xf "$f" -C ${target}; done`;
  const took = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn("sh", ["-c", command], { stdio: "ignore" });
        child.on("error", reject);
        child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`))));
      }),
  );
  rmSync(target, { recursive: true });
  return took;
}

/** What was seen along the way, to be told in a row of its own. */
class Aside {
  readonly #samples = new Map<string, number[]>();

  note(daemon: Daemon, value: number): void {
    this.#samples.set(daemon.name, [...(this.#samples.get(daemon.name) ?? []), value]);
  }

  contenders(daemons: Daemon[]): Work["contenders"] {
    return new Map(
      daemons.map(({ name }) => [name, async () => this.#samples.get(name)?.shift() ?? Number.NaN]),
    );
  }
}

const time = { unit: "ms", better: "less" } as const;
const memory = { unit: "MB", better: "less", budget: 150 } as const;

/** Rows of what is measured in turn, and rows of what was seen meanwhile. */
export interface ImageWorks {
  main: Work;
  asides: Work[];
}

/** Pulling a large image from loopback, and again. */
export function pulling(bench: ImageBench, daemons: Daemon[]): ImageWorks {
  const [again, peak] = [new Aside(), new Aside()];
  const common = { rounds: bench.rounds, warmups: 1 };
  const sample = async (daemon: Daemon): Promise<number> => {
    const pull = () => docker(bench, daemon, "pull", "-q", name);
    const { took, most } = await observed(daemon, pull);
    peak.note(daemon, most);
    again.note(daemon, await timed(() => daemon.api.call("POST", `/images/create?${query(largeName, "1")}`)));
    await docker(bench, daemon, "rmi", "-f", name);
    return took;
  };
  return {
    main: {
      ...common,
      ...time,
      title: "pull 10 layers, 20,000 files, 300 MB",
      contenders: new Map([
        ...daemons.map((daemon) => [daemon.name, () => sample(daemon)] as const),
        ["gzip -d, tar", () => unpackPlainly(bench.image, bench.directory, true)] as const,
      ]),
    },
    asides: [
      {
        ...common,
        ...time,
        title: "of that: pull again",
        budget: 50,
        contenders: again.contenders(daemons),
      },
      {
        ...common,
        ...memory,
        title: "of that: most memory of daemon and children",
        contenders: peak.contenders(daemons),
      },
    ],
  };
}

const query = (image: string, tag: string): string => `fromImage=${encodeURIComponent(image)}&tag=${tag}`;

/** `docker load`, and `docker save` to nowhere. */
export function moving(bench: ImageBench, daemons: Daemon[]): ImageWorks {
  const [saving, loadPeak, savePeak] = [new Aside(), new Aside(), new Aside()];
  const common = { rounds: bench.rounds, warmups: 1 };
  const sample = async (daemon: Daemon): Promise<number> => {
    const loaded = await observed(daemon, () => docker(bench, daemon, "load", "-qi", bench.image.archive));
    loadPeak.note(daemon, loaded.most);
    const saved = await observed(daemon, () => docker(bench, daemon, "save", name));
    saving.note(daemon, saved.took);
    savePeak.note(daemon, saved.most);
    await docker(bench, daemon, "rmi", "-f", name);
    return loaded.took;
  };
  const aside = (title: string, of: Aside, unit: typeof time | typeof memory): Work => ({
    ...common,
    ...unit,
    title,
    contenders: of.contenders(daemons),
  });
  return {
    main: {
      ...common,
      ...time,
      title: "load the same",
      contenders: new Map([
        ...daemons.map((daemon) => [daemon.name, () => sample(daemon)] as const),
        ["tar", () => unpackPlainly(bench.image, bench.directory, false)] as const,
      ]),
    },
    asides: [
      aside("of that: most memory of daemon and children", loadPeak, memory),
      aside("save the same", saving, time),
      aside("of that: most memory of daemon and children", savePeak, memory),
    ],
  };
}

/** Pushing to an empty registry what came from another, and what was loaded and has to be packed. */
export function pushing(bench: ImageBench, daemons: Daemon[], source: "pulled" | "loaded"): ImageWorks {
  const peak = new Aside();
  const common = { rounds: bench.rounds, warmups: 1 };
  const sample = async (daemon: Daemon): Promise<number> => {
    if (source === "pulled") await docker(bench, daemon, "pull", "-q", name);
    else await docker(bench, daemon, "load", "-qi", bench.image.archive);
    await docker(bench, daemon, "tag", name, pushed);
    bench.emptyRegistry();
    const { took, most } = await observed(daemon, () => docker(bench, daemon, "push", "-q", pushed));
    peak.note(daemon, most);
    await docker(bench, daemon, "rmi", "-f", name, pushed);
    return took;
  };
  return {
    main: {
      ...common,
      ...time,
      title: source === "pulled" ? "push what was pulled" : "push what was loaded",
      contenders: new Map(daemons.map((daemon) => [daemon.name, () => sample(daemon)])),
    },
    asides: [
      {
        ...common,
        ...memory,
        title: "of that: most memory of daemon and children",
        contenders: peak.contenders(daemons),
      },
    ],
  };
}
