import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LargeImage, largeName } from "./large-image.ts";
import type { Daemon } from "./peers/daemon.ts";
import { residentBytes } from "./processes.ts";
import { timed } from "./statistics.ts";
import type { Work } from "./work.ts";

const megabyte = 1024 * 1024;
const name = `${largeName}:1`;

async function pull(daemon: Daemon): Promise<void> {
  const said = await daemon.api.call(
    "POST",
    `/images/create?fromImage=${encodeURIComponent(largeName)}&tag=1`,
  );
  if (said.includes('"error"')) throw new Error(`${daemon.name}: ${said.subarray(-300)}`);
}

async function remove(daemon: Daemon): Promise<void> {
  await daemon.api.call("DELETE", `/images/${encodeURIComponent(name)}?force=1`);
}

/** The largest memory of a daemon's processes while `work` goes on, in MB. */
async function peak(daemon: Daemon, work: () => Promise<void>): Promise<number> {
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, residentBytes(daemon.processes) / megabyte);
  }, 50);
  try {
    await work();
    return most;
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

/** Pulling a large image from loopback, again, and what it takes of memory; each in its own row. */
export function pulling(daemons: Daemon[], image: LargeImage, directory: string, rounds: number): Work[] {
  const again = new Map<string, number[]>(daemons.map((daemon) => [daemon.name, []]));
  const memory = new Map<string, number[]>(daemons.map((daemon) => [daemon.name, []]));
  const common = { better: "less", rounds, warmups: 1 } as const;
  const sample = async (daemon: Daemon): Promise<number> => {
    let took = 0;
    const most = await peak(daemon, async () => {
      took = await timed(() => pull(daemon));
    });
    memory.get(daemon.name)?.push(most);
    again.get(daemon.name)?.push(await timed(() => pull(daemon)));
    await remove(daemon);
    return took;
  };
  const taken = (samples: Map<string, number[]>): Work["contenders"] =>
    new Map([...samples].map(([engine, values]) => [engine, async () => values.shift() ?? Number.NaN]));
  return [
    {
      ...common,
      title: "pull 10 layers, 20,000 files, 300 MB",
      unit: "ms",
      contenders: new Map([
        ...daemons.map((daemon) => [daemon.name, () => sample(daemon)] as const),
        ["gzip -d, tar", () => unpackPlainly(image, directory, true)] as const,
      ]),
    },
    { ...common, title: "of that: pull again", unit: "ms", budget: 50, contenders: taken(again) },
    { ...common, title: "of that: memory of the daemon", unit: "MB", budget: 150, contenders: taken(memory) },
  ];
}

/** `docker load` and `docker save` of the same image. */
export function moving(daemons: Daemon[], image: LargeImage, directory: string, rounds: number): Work[] {
  const common = { unit: "ms", better: "less", rounds, warmups: 1 } as const;
  const archive = readFileSync(image.archive);
  const saving = new Map<string, number[]>(daemons.map((daemon) => [daemon.name, []]));
  const sample = async (daemon: Daemon): Promise<number> => {
    const took = await timed(() => daemon.api.call("POST", "/images/load?quiet=1", archive));
    const save = () => daemon.api.call("GET", `/images/${encodeURIComponent(name)}/get`);
    saving.get(daemon.name)?.push(await timed(save));
    await remove(daemon);
    return took;
  };
  return [
    {
      ...common,
      title: "load the same",
      contenders: new Map([
        ...daemons.map((daemon) => [daemon.name, () => sample(daemon)] as const),
        ["tar", () => unpackPlainly(image, directory, false)] as const,
      ]),
    },
    {
      ...common,
      title: "of that: save",
      contenders: new Map(
        [...saving].map(([engine, values]) => [engine, async () => values.shift() ?? Number.NaN]),
      ),
    },
  ];
}
