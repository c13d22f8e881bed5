// Kills the daemon at random moments of many connects, publishings, disconnects and removals. Afterwards
// addresses, links, rules and names are those of the running containers, and nothing else.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { run, TestDaemon, until } from "../support/daemon.ts";

/** More with NETWORK_CRASH_ROUNDS, for longer runs by hand. */
const ROUNDS = Number(process.env.NETWORK_CRASH_ROUNDS ?? 200);
const AT_ONCE = 4;

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("netcrash");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** One round; any step may fail when the daemon is killed under it. */
async function round(number: number): Promise<void> {
  const name = `round-${number % 12}`;
  const port = 27_000 + (number % 12);
  await daemon.docker([
    "run",
    "-d",
    "--name",
    name,
    "--network",
    "one",
    "-p",
    `${port}:80`,
    "-p",
    `${port}:53/udp`,
    "busybox",
    "sleep",
    "1000",
  ]);
  await daemon.docker(["network", "connect", "--alias", `alias-${number % 12}`, "two", name]);
  if (randomInt(2) === 0) await daemon.docker(["network", "disconnect", "one", name]);
  if (randomInt(3) > 0) await daemon.docker(["rm", "-f", name]);
}

interface Inspected {
  Name: string;
  State: { Running: boolean; Pid: number };
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
    Networks: Record<string, { IPAddress: string; GlobalIPv6Address: string }>;
  };
}

async function containers(): Promise<Inspected[]> {
  const ids = (await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean);
  return ids.length === 0 ? [] : JSON.parse(await daemon.ok(["inspect", ...ids]));
}

const tag = (): string => daemon.cgroupParent.slice(6, 10);
const containerLinks = (): string[] =>
  readdirSync("/sys/class/net").filter((name) => name.startsWith(`bv${tag()}`));

/** The elements of a set of the rules, as text. */
async function elements(family: string, kind: string, set: string): Promise<string[]> {
  const { stdout } = await run("nft", ["list", kind, family, `berth_${tag()}`, set]);
  const body = /elements = \{([^}]*)\}/.exec(stdout)?.[1] ?? "";
  return body
    .split(",")
    .map((element) => element.trim().replaceAll(/\s+/g, " "))
    .filter(Boolean)
    .sort();
}

test(`${ROUNDS} rounds under kill -9 of the daemon`, {
  timeout: Math.max(300_000, ROUNDS * 1500),
}, async () => {
  // Of their own: a killed daemon's bridges may be gone for a while, and subnets of the pools then are for others.
  await daemon.ok(["network", "create", "--ipv6", "--subnet", "10.217.1.0/24", "one"]);
  await daemon.ok(["network", "create", "--subnet", "10.217.2.0/24", "two"]);
  let next = 0;
  let over = false;
  let kills = 0;
  const killer = (async () => {
    while (!over) {
      await sleep(randomInt(100, 700));
      await daemon.down("SIGKILL");
      await daemon.up();
      kills++;
    }
  })();
  // Each worker has names of its own.
  const worker = async (which: number): Promise<void> => {
    for (let at = which; at < ROUNDS; at += AT_ONCE) {
      next++;
      await round(at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, which) => worker(which)));
  over = true;
  await killer;
  await daemon.down("SIGKILL");
  await daemon.up();
  console.log(`# ${next} rounds, ${kills} kills`);

  const all = await containers();
  const running = all.filter(({ State }) => State.Running);
  const addresses = running.flatMap(({ NetworkSettings: { Networks } }) =>
    Object.values(Networks).map(({ IPAddress }) => IPAddress),
  );
  assert.ok(addresses.every(Boolean), "every place in a network has an address");
  assert.equal(new Set(addresses).size, addresses.length, "no address is given twice");

  for (const { Name, State, NetworkSettings } of running) {
    const { stdout } = await run("nsenter", ["-t", String(State.Pid), "-n", "ip", "-4", "-o", "addr"]);
    const inside = [...stdout.matchAll(/inet ([\d.]+)\//g)].map(([, address]) => address);
    const told = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    assert.deepEqual(inside.filter((address) => address !== "127.0.0.1").sort(), told.sort(), Name);
    const six = await run("nsenter", [
      "-t",
      String(State.Pid),
      "-n",
      "ip",
      "-6",
      "-o",
      "addr",
      "show",
      "scope",
      "global",
    ]);
    const inside6 = [...six.stdout.matchAll(/inet6 (\S+)\//g)].map(([, address]) => address);
    const told6 = Object.values(NetworkSettings.Networks).map(({ GlobalIPv6Address }) => GlobalIPv6Address);
    assert.deepEqual(inside6.sort(), told6.filter(Boolean).sort(), Name);
  }
  await until("links are those of the containers", () => containerLinks().length === addresses.length);
  const bound = await elements("bridge", "set", "bound4");
  assert.deepEqual(bound.map((element) => element.split(" . ")[2]).sort(), addresses.sort());
  assert.deepEqual(
    bound.map((element) => element.split(" . ")[0]?.replaceAll('"', "")).sort(),
    containerLinks().sort(),
  );

  const bindings = running.flatMap(({ NetworkSettings: { Ports } }) =>
    Object.entries(Ports).flatMap(([port, list]) =>
      (list ?? []).map(({ HostIp, HostPort }) => ({
        six: HostIp === "::",
        text: `${port.split("/")[1]} . ${HostPort}`,
      })),
    ),
  );
  for (const version of [4, 6]) {
    const mapped = await elements("inet", "map", `port${version}`);
    const published = bindings.filter(({ six }) => six === (version === 6)).map(({ text }) => text);
    assert.deepEqual(mapped.map((element) => element.split(" : ")[0]).sort(), published.sort());
  }
  assert.deepEqual(
    await elements("inet", "set", "loop6"),
    bindings.flatMap(({ six, text }) => (six ? text : [])).sort(),
  );

  for (const { Name, NetworkSettings } of running) {
    // Of the networks that it is in the first answers.
    const address = (NetworkSettings.Networks.one ?? NetworkSettings.Networks.two)?.IPAddress;
    if (!address) continue;
    const { stdout } = await daemon.docker(["exec", Name.slice(1), "nslookup", Name.slice(1)]);
    assert.ok(stdout.includes(address), `${Name} is found at ${address}`);
  }
  for (const network of ["one", "two"]) {
    const members = running.flatMap(({ Name, NetworkSettings }) => {
      const address = NetworkSettings.Networks[network]?.IPAddress;
      return address ? [{ name: Name.slice(1), address }] : [];
    });
    for (const [at, { name }] of members.entries()) {
      const other = members[(at + 1) % members.length]?.address ?? "";
      await daemon.ok(["exec", name, "ping", "-c", "1", "-W", "2", other]);
    }
  }
  if (all.length > 0) await daemon.ok(["rm", "-f", ...all.map(({ Name }) => Name.slice(1))]);
  await daemon.ok(["network", "rm", "one", "two"]);
});
