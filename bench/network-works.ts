import type { ChildProcess } from "node:child_process";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createOn, firstProcess, life, remove, start } from "./containers.ts";
import { makeLoadTool, makeVethPair, measureIn, serveIn, type VethPair } from "./load/tool.ts";
import type { Daemon } from "./peers/daemon.ts";
import { quantile, timed } from "./statistics.ts";
import type { Work } from "./work.ts";

const PORT = 5000;
/** Short ones in turn, of which the best counts: what else the machine does only ever makes them worse. */
const TRIALS = 40;
const BULK_MS = 20;
const TURNS = 400;
const QUESTIONS = 200;

/** A published port that the host chooses. */
const published = { [`${PORT}/tcp`]: [{ HostIp: "", HostPort: "" }] };

function each(daemons: Daemon[], sample: (daemon: Daemon) => Promise<number>): Work["contenders"] {
  return new Map(daemons.map((daemon) => [daemon.name, () => sample(daemon)]));
}

/** Lives on a bridge with a published port: one after the other, and `width` at a time. */
export function publishedLives(daemons: Daemon[], rounds: number, width: number, seconds: number): Work[] {
  const one = (daemon: Daemon) => life(daemon, "bridge", published);
  return [
    {
      title: "the same with a published port",
      unit: "ms",
      better: "less",
      budget: 17,
      rounds,
      warmups: 2,
      batch: 5,
      contenders: each(daemons, (daemon) => timed(() => one(daemon))),
    },
    {
      title: `lives with a published port, ${width} at a time`,
      unit: "lives/s",
      better: "more",
      budget: 80,
      rounds: Math.max(2, Math.floor(rounds / 4)),
      warmups: 1,
      contenders: each(daemons, async (daemon) => {
        const began = performance.now();
        const elapsed = () => (performance.now() - began) / 1000;
        let lives = 0;
        const worker = async () => {
          for (; elapsed() < seconds; lives++) await one(daemon);
        };
        await Promise.all(Array.from({ length: width }, worker));
        return lives / elapsed();
      }),
    },
  ];
}

/** Two containers of one network, the first with a server behind a published port. */
interface Pair {
  ids: string[];
  host: number;
  server: number;
  client: number;
  address: string;
  published: number;
  serving: ChildProcess;
}

/** A pair of links with a server at one end. */
interface Served {
  pair: VethPair;
  serving: ChildProcess;
}

const NETWORK = "bench-paths";
const SERVER = "bench-server";

interface Inspected {
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string }>;
    Ports: Record<string, { HostPort: string }[]>;
  };
}

async function makePair(daemon: Daemon, program: string): Promise<Pair> {
  const [host = 0] = daemon.processes;
  execFileSync("nsenter", ["--target", String(host), "--net", "ip", "link", "set", "lo", "up"]);
  await daemon.api.json("POST", "/networks/create", { Name: NETWORK });
  const ids: string[] = [];
  for (const name of [SERVER, "bench-client"]) {
    const ports = name === SERVER ? published : {};
    const id = await createOn(daemon, ["/bin/sleep", "3600"], NETWORK, ports, name);
    ids.push(id);
    await start(daemon, id);
  }
  const [server = 0, client = 0] = await Promise.all(ids.map((id) => firstProcess(daemon, id)));
  const { NetworkSettings } = await daemon.api.json<Inspected>("GET", `/containers/${ids[0]}/json`);
  return {
    ids,
    host,
    server,
    client,
    address: NetworkSettings.Networks[NETWORK]?.IPAddress ?? "",
    published: Number(NetworkSettings.Ports[`${PORT}/tcp`]?.[0]?.HostPort),
    serving: await serveIn(server, program, PORT),
  };
}

/** TCP between containers and through a published port as parts of what a bare pair of links does, and names. */
export function paths(daemons: Daemon[], directory: string, rounds: number): Work[] {
  const program = makeLoadTool(directory);
  const pairs = new Map<Daemon, Pair>();
  let bare: Served | null = null;
  const hosts = new Map<Daemon, Served>();
  const pairOf = (daemon: Daemon): Pair => {
    const pair = pairs.get(daemon);
    if (!pair) throw new Error(`${daemon.name} has no pair of containers`);
    return pair;
  };
  const prepare = async (): Promise<void> => {
    if (bare) return;
    const served = async (pair: VethPair): Promise<Served> => ({
      pair,
      serving: await serveIn(pair.server, program, PORT),
    });
    bare = await served(await makeVethPair(0));
    for (const [at, daemon] of daemons.entries()) {
      const pair = await makePair(daemon, program);
      pairs.set(daemon, pair);
      hosts.set(daemon, await served(await makeVethPair(at + 1, pair.host)));
    }
  };
  const finish = async (): Promise<void> => {
    for (const { pair, serving } of [...(bare ? [bare] : []), ...hosts.values()]) {
      serving.kill();
      pair.close();
    }
    for (const [daemon, { ids, serving }] of pairs) {
      serving.kill();
      for (const id of ids) await remove(daemon, id);
      await daemon.api.call("DELETE", `/networks/${NETWORK}`);
    }
  };
  const near = (daemon: Daemon) => {
    const { client, address } = pairOf(daemon);
    return { from: client, to: [address, String(PORT)] };
  };
  const through = (daemon: Daemon) => {
    const { host, published } = pairOf(daemon);
    return { from: host, to: ["127.0.0.1", String(published)] };
  };
  const empty = () => bare;
  // Its client is where that of the published port is: what the engine's rules cost all packets there, it costs both.
  const beside = (daemon: Daemon) => hosts.get(daemon);
  const compared = (
    title: string,
    kind: "bulk" | "turns",
    way: (daemon: Daemon) => { from: number; to: string[] },
    measureOf: (daemon: Daemon) => Served | null | undefined,
  ): Work => {
    const amount = String(kind === "bulk" ? BULK_MS : TURNS);
    const best = kind === "bulk" ? Math.max : Math.min;
    return {
      title,
      unit: "×",
      better: kind === "bulk" ? "more" : "less",
      budget: kind === "bulk" ? 0.95 : 1.05,
      rounds,
      warmups: 1,
      prepare,
      contenders: each(daemons, async (daemon) => {
        const measure = measureOf(daemon);
        if (!measure) throw new Error("there is no pair of links to compare with");
        const { from, to } = way(daemon);
        const taken: { bare: number[]; own: number[] } = { bare: [], own: [] };
        for (let trial = 0; trial < TRIALS; trial++) {
          const { client, address } = measure.pair;
          taken.bare.push(await measureIn(client, program, [kind, address, String(PORT), amount]));
          taken.own.push(await measureIn(from, program, [kind, ...to, amount]));
        }
        return best(...taken.own) / best(...taken.bare);
      }),
    };
  };
  return [
    compared("TCP between containers ÷ a bare veth pair: bytes a second", "bulk", near, empty),
    compared("TCP between containers ÷ a bare veth pair: time of a turn", "turns", near, empty),
    compared(
      "TCP through a published port ÷ a bare veth pair from the host: bytes a second",
      "bulk",
      through,
      beside,
    ),
    compared(
      "TCP through a published port ÷ a bare veth pair from the host: time of a turn",
      "turns",
      through,
      beside,
    ),
    {
      title: "a container's name answered",
      unit: "ms",
      better: "less",
      budget: 1,
      rounds: rounds * 2,
      warmups: 1,
      // Not every engine has a name server that asks for none of its host's.
      contenders: each(
        daemons.filter(({ name }) => name !== "podman"),
        async (daemon) => {
          const { client } = pairOf(daemon);
          const file = readFileSync(`/proc/${client}/root/etc/resolv.conf`, "utf8");
          const server = /^nameserver (\S+)/m.exec(file)?.[1] ?? "";
          return (await measureIn(client, program, ["ask", server, SERVER, String(QUESTIONS)])) / 1000;
        },
      ),
      finish,
    },
  ];
}

/** What only Berth does in a time that a comparison can wait for. */
export function wide(berth: Daemon, containers: number, ports: number): Work[] {
  const common = { better: "less", rounds: 1, warmups: 0 } as const;
  return [
    {
      ...common,
      title: `${containers} containers on one network: start of the last ÷ of the first`,
      unit: "×",
      budget: 1.5,
      contenders: each([berth], (daemon) => crowd(daemon, containers)),
    },
    {
      ...common,
      title: `start with ${ports} published ports`,
      unit: "ms",
      budget: 1000,
      rounds: 5,
      warmups: 1,
      contenders: each([berth], async (daemon) => {
        const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
        for (let port = 20_000; port < 20_000 + ports; port++)
          bindings[`${port}/tcp`] = [{ HostIp: "", HostPort: String(port) }];
        const id = await createOn(daemon, ["/bin/sleep", "3600"], "bridge", bindings);
        try {
          return await timed(() => start(daemon, id));
        } finally {
          await remove(daemon, id);
        }
      }),
    },
  ];
}

/** The median start of the last tenth of so many containers over that of the first. */
async function crowd(daemon: Daemon, count: number): Promise<number> {
  const subnet = { Subnet: "10.253.0.0/20" };
  await daemon.api.json("POST", "/networks/create", { Name: "bench-crowd", IPAM: { Config: [subnet] } });
  const ids: string[] = [];
  const took: number[] = [];
  try {
    for (let at = 0; at < count; at++) {
      const id = await createOn(daemon, ["/bin/sleep", "3600"], "bench-crowd", {});
      ids.push(id);
      took.push(await timed(() => start(daemon, id)));
    }
    const part = Math.ceil(count / 10);
    return quantile(took.slice(-part), 0.5) / quantile(took.slice(0, part), 0.5);
  } finally {
    for (const id of ids) await remove(daemon, id);
    await daemon.api.call("DELETE", "/networks/bench-crowd");
  }
}
