import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { find, run } from "./command.ts";
import { create, exec, firstProcess, type LifeParts, life, lifeParts, remove, start } from "./containers.ts";
import { imageName } from "./image.ts";
import type { Daemon } from "./peers/daemon.ts";
import { berthProgram } from "./peers/engines.ts";
import { type OciRuntime, writeBundle } from "./peers/runtimes.ts";
import { holdersOf, proportionalBytes, residentBytes } from "./processes.ts";
import { PrivateShell } from "./shell.ts";
import { timed } from "./statistics.ts";
import type { Work } from "./work.ts";

const megabyte = 1024 * 1024;

function each(daemons: Daemon[], sample: (daemon: Daemon) => Promise<number>): Work["contenders"] {
  return new Map(daemons.map((daemon) => [daemon.name, () => sample(daemon)]));
}

/** Start to first answer, of daemons that are not running, and what each then holds in memory. */
export function daemonStart(daemons: Daemon[], rounds: number): { starting: Work; resident: Work } {
  const memory = new Map<string, number[]>(daemons.map(({ name }) => [name, []]));
  const starting: Work = {
    title: "daemon: start to first answer",
    unit: "ms",
    better: "less",
    budget: 300,
    rounds,
    warmups: 1,
    contenders: each(daemons, async (daemon) => {
      const took = await timed(() => daemon.start());
      await pause(2000);
      memory.get(daemon.name)?.push(residentBytes(daemon.processes) / megabyte);
      await daemon.stop();
      return took;
    }),
  };
  const resident: Work = {
    title: "daemon: resident 2 s after its start",
    unit: "MB",
    better: "less",
    budget: 90,
    rounds,
    warmups: 1,
    contenders: each(daemons, async ({ name }) => memory.get(name)?.shift() ?? Number.NaN),
  };
  return { starting, resident };
}

/** What a daemon holds that has worked and then rested. */
export function restedMemory(daemons: Daemon[], rounds: number, lives: number): Work {
  return {
    title: `daemon: resident 12 s after ${lives} lives`,
    unit: "MB",
    better: "less",
    budget: 90,
    rounds,
    warmups: 0,
    contenders: each(daemons, async (daemon) => {
      for (let count = 0; count < lives; count++) await life(daemon);
      await pause(12_000);
      return residentBytes(daemon.processes) / megabyte;
    }),
  };
}

/** A whole life over the API, and its parts as they were in the same lives. */
export function apiLife(daemons: Daemon[], rounds: number): { whole: Work; parts: Work[] } {
  const lives = new Map<string, LifeParts[]>(daemons.map(({ name }) => [name, []]));
  const common = { unit: "ms", better: "less", rounds, warmups: 2, batch: 5 } as const;
  const whole: Work = {
    ...common,
    title: "create + start + wait + remove",
    budget: 12,
    contenders: each(daemons, async (daemon) => {
      const parts = await life(daemon);
      lives.get(daemon.name)?.push(parts);
      return Object.values(parts).reduce((sum, part) => sum + part, 0);
    }),
  };
  const parts = lifeParts.map((part): Work => {
    const rest = new Map([...lives].map(([name, taken]) => [name, taken.values()]));
    return {
      ...common,
      title: `of that: ${part}`,
      contenders: each(daemons, async ({ name }) => rest.get(name)?.next().value?.[part] ?? Number.NaN),
    };
  });
  return { whole, parts };
}

export function bridgedLife(daemons: Daemon[], rounds: number): Work {
  return {
    title: "the same on a bridge network",
    unit: "ms",
    better: "less",
    budget: 17,
    rounds,
    warmups: 2,
    batch: 5,
    contenders: each(daemons, (daemon) => timed(() => life(daemon, "bridge"))),
  };
}

export function apiExec(daemons: Daemon[], rounds: number): Work {
  const running = new Map<Daemon, string>();
  return {
    title: "exec of `true`",
    unit: "ms",
    better: "less",
    budget: 8,
    rounds,
    warmups: 2,
    batch: 5,
    contenders: each(daemons, (daemon) => timed(() => exec(daemon, running.get(daemon) ?? ""))),
    prepare: async () => {
      for (const daemon of daemons) {
        const id = await create(daemon, ["/bin/sleep", "3600"]);
        running.set(daemon, id);
        await start(daemon, id);
      }
    },
    finish: async () => {
      for (const [daemon, id] of running) await remove(daemon, id);
    },
  };
}

/** Lives per second with `width` at a time, over at least `seconds`. */
export function throughput(daemons: Daemon[], rounds: number, width: number, seconds: number): Work {
  return {
    title: `lives, ${width} at a time`,
    unit: "lives/s",
    better: "more",
    budget: 120,
    rounds,
    warmups: 1,
    contenders: each(daemons, async (daemon) => {
      const started = performance.now();
      const elapsed = () => (performance.now() - started) / 1000;
      let lives = 0;
      const worker = async () => {
        while (elapsed() < seconds) {
          await life(daemon);
          lives++;
        }
      };
      await Promise.all(Array.from({ length: width }, worker));
      return lives / elapsed();
    }),
  };
}

/** What a container that sleeps costs outside its own processes: the processes that hold it, over `count` of them. */
export function idleMemory(daemons: Daemon[], rounds: number, count: number): Work {
  return {
    title: "idle container: memory of what holds it",
    unit: "MB",
    better: "less",
    budget: 0.5,
    rounds,
    warmups: 1,
    contenders: each(daemons, async (daemon) => {
      const ids: string[] = [];
      // What one life has brought up serves all: it is not a container's own.
      await life(daemon);
      const own = daemon.processes;
      try {
        for (let index = 0; index < count; index++) {
          const id = await create(daemon, ["/bin/sleep", "3600"]);
          ids.push(id);
          await start(daemon, id);
        }
        await pause(500);
        const holders = new Set<number>();
        for (const id of ids)
          for (const pid of holdersOf(await firstProcess(daemon, id), own)) holders.add(pid);
        return proportionalBytes([...holders]) / count / megabyte;
      } finally {
        for (const id of ids) await remove(daemon, id);
      }
    }),
  };
}

/** The docker command line against each daemon; null where there is none. */
export function dockerClient(daemons: Daemon[], rounds: number): { run: Work; version: Work } | null {
  const docker = find("docker");
  if (docker === null) return null;
  const contenders = (args: string[]) =>
    each(daemons, ({ socket }) => timed(() => run(docker, ["-H", `unix://${socket}`, ...args])));
  const common = { unit: "ms", better: "less", rounds, warmups: 2 } as const;
  return {
    run: {
      ...common,
      title: "`docker run --rm`",
      contenders: contenders(["run", "--rm", "--network", "none", imageName, "/bin/true"]),
    },
    version: { ...common, title: "`docker version`", contenders: contenders(["version"]) },
  };
}

/** Berth's command line beside the least that Node can do. */
export function ownClient(daemon: Daemon, rounds: number): { version: Work; node: Work } {
  const common = { unit: "ms", better: "less", rounds, warmups: 2 } as const;
  const cli = () => timed(() => run(berthProgram, ["-H", `unix://${daemon.socket}`, "version"]));
  const node = () => timed(() => run(process.execPath, ["-e", "0"]));
  return {
    version: { ...common, title: "`berth version`", contenders: new Map([[daemon.name, cli]]) },
    node: { ...common, title: "`node -e 0`", contenders: new Map([[daemon.name, node]]) },
  };
}

/** An OCI runtime alone, from nothing to the exit of `true`. */
export function runtimeAlone(
  runtimes: OciRuntime[],
  directory: string,
  rootfs: string,
  rounds: number,
): Work {
  const bundle = join(directory, "bundle");
  let count = 0;
  let shell: PrivateShell;
  return {
    title: "OCI runtime alone, one `true`",
    unit: "ms",
    better: "less",
    rounds,
    warmups: 1,
    contenders: new Map(
      runtimes.map((runtime) => [
        runtime.name,
        () => timed(() => shell.run(runtime.command(bundle, `bench-${process.pid}-${count++}`))),
      ]),
    ),
    prepare: async () => {
      writeBundle(bundle, rootfs);
      // crun refuses to run where it sees cgroups of both versions.
      shell = new PrivateShell("umount /sys/fs/cgroup/unified 2>/dev/null");
    },
    finish: async () => {
      shell.close();
      rmSync(bundle, { recursive: true });
    },
  };
}
