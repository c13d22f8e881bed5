// Connections from the host's loopback to published ports, which begin at the container: their own end then has
// the bridge's address. Where the rules lead them it has a loopback address.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { patience, run, TestDaemon, until } from "../support/daemon.ts";

/** Where the machine's v2 tree of control groups is, on whose root the programs hang. */
const groups = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].find((path) =>
  existsSync(`${path}/cgroup.controllers`),
);
const skip = groups === undefined ? "the machine has no v2 tree of control groups" : false;
const GATEWAY = "10.197.41.1";
const GATEWAY6 = "fd41::1";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("direct");
  const subnets = ["--ipv6", "--subnet", "10.197.41.0/24", "--subnet", "fd41::/64"];
  await daemon.ok(["network", "create", ...subnets, "near"]);
});
afterEach(async () => {
  const left = (await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean);
  if (left.length > 0) await daemon.ok(["rm", "-f", ...left]);
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

/** Tells who asks, and what it is called itself. */
const script = "#!/bin/sh\\necho\\necho $REMOTE_ADDR $REMOTE_PORT $(hostname)\\n";
const serve = (port: number): string =>
  `mkdir -p /www/cgi-bin; printf '${script}' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p ${port} -h /www`;

async function server(name: string, flags: string[], port = 80): Promise<void> {
  const command = ["busybox", "sh", "-c", serve(port)];
  await daemon.ok(["run", "-d", "--name", name, "--hostname", name, ...flags, ...command]);
  const ask = ["wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port}/cgi-bin/who`];
  await until(`${name} serves`, async () => (await daemon.docker(["exec", name, ...ask])).code === 0);
}

/** Both ends of a connection as its client sees them, as the server sees the client, and the server's name. */
interface Seen {
  own: string;
  peer: string;
  client: string;
  name: string;
}

/** Connects to a port; undefined when nobody serves there. The daemon sends away who comes while it gives a port back. */
async function ask(...to: [host: string, port: number, localAddress?: string]): Promise<Seen | undefined> {
  try {
    const seen = await exchange(...to);
    return seen.name === "" ? undefined : seen;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ECONNREFUSED" || code === "ECONNRESET") return undefined;
    throw error;
  }
}

async function exchange(host: string, port: number, localAddress?: string): Promise<Seen> {
  const socket = connect({ host, port, timeout: 3000, ...(localAddress ? { localAddress } : {}) });
  socket.on("timeout", () => socket.destroy(new Error("no answer in 3 s")));
  await once(socket, "connect");
  const [own, peer] = [
    `${socket.localAddress} ${socket.localPort}`,
    `${socket.remoteAddress} ${socket.remotePort}`,
  ];
  socket.write("GET /cgi-bin/who HTTP/1.0\r\n\r\n");
  const answer = (await socket.setEncoding("utf8").toArray()).join("");
  const [, client = "", name = ""] = /(\S+ \d+) (\S+)\s*$/.exec(answer) ?? [];
  return { own, peer, client: bare(client.replace(/[[\]]/g, "")), name };
}

/** An address of IPv4 in IPv6's clothes as itself. */
const bare = (address: string): string => address.replace("::ffff:", "");

async function seen(host: string, port: number, localAddress?: string): Promise<Seen> {
  return (await ask(host, port, localAddress)) ?? assert.fail(`${host}:${port} refused`);
}

const isDirect = ({ own, client }: Seen): boolean => bare(own) === client;

/** Waits until connections begin at the container: after the first port, and after a daemon's start, it takes a moment. */
const begun = (port: number, host = "127.0.0.1"): Promise<void> =>
  until(`connections to ${port} are direct`, async () => {
    const found = await ask(host, port);
    return found !== undefined && isDirect(found);
  });

async function published(name: string, key = "80/tcp"): Promise<number> {
  const format = `{{(index (index .NetworkSettings.Ports "${key}") 0).HostPort}}`;
  return Number(await daemon.ok(["inspect", "-f", format, name]));
}

const portOf = (end: string): string => end.split(" ")[1] ?? "";

test("every loopback address leads to the container, which sees the bridge's address; clients see what they asked for", {
  skip,
}, async () => {
  await server("one", ["--network", "near", "-p", "80"]);
  const port = await published("one");
  await begun(port);
  for (const host of ["127.0.0.1", "127.0.0.2", "127.200.0.9"]) {
    const { own, peer, client, name } = await seen(host, port);
    assert.deepEqual(
      { own, peer, name },
      { own: `${GATEWAY} ${portOf(client)}`, peer: `${host} ${port}`, name: "one" },
    );
    assert.equal(client, own);
  }
  const dual = await seen("::ffff:127.0.0.3", port);
  assert.equal(dual.own, `::ffff:${dual.client}`);
  assert.equal(dual.peer, `::ffff:127.0.0.3 ${port}`);
  const six = await seen("::1", port);
  assert.equal(six.peer, `::1 ${port}`);
  assert.equal(six.own, `${GATEWAY6} ${portOf(six.own)}`);
  assert.equal(portOf(six.client), portOf(six.own));
  assert.ok(isDirect(six));
});

test("a client that chose its own address, and one in another network, are led by the rules as before", {
  skip,
}, async () => {
  await server("one", ["--network", "near", "-p", "80"]);
  const port = await published("one");
  await begun(port);
  const bound = await seen("127.0.0.1", port, "127.0.0.1");
  assert.equal(bound.own.split(" ")[0], "127.0.0.1");
  assert.equal(bound.client.split(" ")[0], GATEWAY);
  assert.equal(bound.name, "one");
  const six = await seen("::1", port, "::1");
  assert.equal(six.own.split(" ")[0], "::1");
  assert.equal(six.name, "one");
  // A container's own loopback is its own.
  const url = `http://127.0.0.1:${port}/cgi-bin/who`;
  const inside = await daemon.docker(["exec", "one", "wget", "-q", "-O", "-", url]);
  assert.match(inside.stderr, /refused/);
  await server("two", ["--network", "near"], port);
  assert.match(await daemon.ok(["exec", "two", "wget", "-q", "-O", "-", url]), /127\.0\.0\.1\]? \d+ two$/);
  // The host's network is the host's, whoever uses it.
  const hosted = await daemon.ok(["run", "--rm", "--network", "host", "busybox", "wget", "-qO-", url]);
  assert.match(hosted, new RegExp(`${GATEWAY}\\]? \\d+ one$`));
});

test("a port on one loopback address is on that one alone, and what docker says of it is as ever", {
  skip,
}, async () => {
  await server("one", ["--network", "near", "-p", "127.0.0.5:18431:80"]);
  await begun(18431, "127.0.0.5");
  assert.equal((await seen("127.0.0.5", 18431)).name, "one");
  assert.ok(isDirect(await seen("::ffff:127.0.0.5", 18431)));
  assert.equal(await ask("127.0.0.1", 18431), undefined);
  assert.equal(await daemon.ok(["port", "one"]), "80/tcp -> 127.0.0.5:18431");
  assert.equal(await daemon.ok(["ps", "--format", "{{.Ports}}"]), "127.0.0.5:18431->80/tcp");
  // The daemon holds the port, so that nobody starts on it.
  const other: Server = createServer();
  other.listen(18431, "127.0.0.5");
  await assert.rejects(once(other, "listening"), { code: "EADDRINUSE" });
});

test("several ports of a container and neighbouring ones; many are led by the rules", { skip }, async () => {
  await server("one", ["--network", "near", "-p", "18440-18443:80-83", "-p", "18450:80"]);
  await begun(18440);
  assert.ok(isDirect(await seen("127.0.0.1", 18450)));
  await server("many", ["--network", "near", "-p", "18500-18540:80-120"]);
  assert.ok(!isDirect(await seen("127.0.0.1", 18500)));
  await daemon.ok(["rm", "-f", "one", "many"]);
  await server("neighbours", ["--network", "near", "-p", "18440-18443:18440-18443"], 18442);
  assert.ok(isDirect(await seen("127.0.0.1", 18442)));
});

test("a port that is given back is refused, and leads to its next holder", { skip }, async () => {
  await server("one", ["--network", "near", "-p", "18432:80"]);
  await begun(18432);
  await daemon.ok(["stop", "-t", "0", "one"]);
  assert.equal(await ask("127.0.0.1", 18432), undefined);
  // Another takes the address that it had.
  await server("two", ["--network", "near"]);
  await daemon.ok(["start", "one"]);
  await begun(18432);
  assert.equal((await seen("127.0.0.1", 18432)).name, "one");
  await daemon.ok(["rm", "-f", "one"]);
  await server("three", ["--network", "near", "-p", "18432:80"]);
  const found = await seen("127.0.0.1", 18432);
  assert.ok(isDirect(found));
  assert.equal(found.name, "three");
});

test("connect and disconnect of running containers take the way along", { skip }, async () => {
  await daemon.ok(["network", "create", "--subnet", "10.197.42.0/24", "after"]);
  await server("one", ["--network", "near", "-p", "18433:80"]);
  await begun(18433);
  await daemon.ok(["network", "connect", "--gw-priority", "5", "after", "one"]);
  assert.equal((await seen("127.0.0.1", 18433)).own.split(" ")[0], "10.197.42.1");
  await daemon.ok(["network", "disconnect", "after", "one"]);
  assert.equal((await seen("127.0.0.1", 18433)).own.split(" ")[0], GATEWAY);
  await daemon.ok(["network", "disconnect", "near", "one"]);
  assert.equal(await ask("127.0.0.1", 18433), undefined);
  await daemon.ok(["network", "rm", "after"]);
});

test("a network that wants no fast path has none of this either", { skip }, async () => {
  await daemon.ok(["network", "create", "-o", "berth.fastpath=false", "slow"]);
  await server("one", ["--network", "near", "-p", "80"]);
  await begun(await published("one"));
  await server("two", ["--network", "slow", "-p", "80"]);
  const found = await seen("127.0.0.1", await published("two"));
  assert.equal(found.name, "two");
  assert.ok(!isDirect(found));
  assert.equal(found.own.split(" ")[0], "127.0.0.1");
  await daemon.ok(["rm", "-f", "two"]);
  await daemon.ok(["network", "rm", "slow"]);
});

/** Who holds descriptors of attached programs among a process's. */
const links = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === "anon_inode:bpf_link";
    } catch {
      return false;
    }
  });

async function children(pid: number): Promise<number[]> {
  const { stdout } = await run("pgrep", ["-P", String(pid)]);
  return stdout.split("\n").filter(Boolean).map(Number);
}

test("the launcher alone holds it: without it and without a daemon the rules lead, a new one leads directly", {
  skip,
}, async () => {
  await server("one", ["--network", "near", "-p", "18434:80"]);
  await begun(18434);
  // Shims that were forked while it was held.
  await server("two", ["--network", "near", "-p", "18435:80"]);
  const [launcher = 0] = (await children(daemon.pid)).filter((pid) => links(pid).length > 0);
  assert.equal(links(launcher).length, 4);
  for (const name of ["one", "two"]) {
    const pid = Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", name]));
    const { stdout } = await run("ps", ["-o", "ppid=", "-p", String(pid)]);
    assert.deepEqual(links(Number(stdout)), [], `the shim of ${name}`);
    assert.deepEqual(links(pid), []);
  }

  process.kill(launcher, "SIGKILL");
  assert.equal((await seen("127.0.0.1", 18434)).name, "one");
  await begun(18434);
  await begun(18435);

  // A connection that began directly goes on without anybody.
  const lasting = connect({ host: "127.0.0.1", port: 18434 });
  await once(lasting, "connect");
  await daemon.down("SIGKILL");
  await until("the programs are gone", async () => !isDirect(await seen("127.0.0.1", 18434)));
  const translated = await seen("127.0.0.1", 18434);
  assert.deepEqual([translated.own.split(" ")[0], translated.name], ["127.0.0.1", "one"]);
  lasting.write("GET /cgi-bin/who HTTP/1.0\r\n\r\n");
  assert.match((await lasting.setEncoding("utf8").toArray()).join(""), / one\s*$/);

  await daemon.up();
  await begun(18434);
  await begun(18435);
  assert.equal((await seen("127.0.0.1", 18435)).name, "two");
});

test("two daemons lead each to its own, and repair makes it anew", { skip }, async () => {
  const other = await TestDaemon.start("direct2");
  try {
    await server("one", ["--network", "near", "-p", "18436:80"]);
    const command = ["busybox", "sh", "-c", serve(80)];
    await other.ok(["run", "-d", "--hostname", "theirs", "-p", "18437:80", ...command]);
    await begun(18436);
    await begun(18437);
    assert.equal((await seen("127.0.0.1", 18436)).name, "one");
    assert.equal((await seen("127.0.0.1", 18437)).name, "theirs");
    assert.equal((await daemon.berth(["network", "repair"])).code, 0);
    assert.ok(isDirect(await seen("127.0.0.1", 18436)));
  } finally {
    await other.end();
  }
  assert.ok(isDirect(await seen("127.0.0.1", 18436)));
  assert.equal(await ask("127.0.0.1", 18437), undefined);
});

test("whatever comes and goes while the launcher is killed, a port leads to its own container or to none", {
  skip,
}, async () => {
  const names = ["one", "two", "three"];
  const port = (name: string): number => 18460 + names.indexOf(name);
  for (const name of names) {
    const flags = ["--name", name, "--hostname", name, "--network", "near", "-p", `${port(name)}:80`];
    await daemon.ok(["create", ...flags, "busybox", "sh", "-c", serve(80)]);
  }
  const running = new Set<string>();
  for (let round = 0; round < 9; round++) {
    const changes = names.filter((_, at) => (round + at) % 3 !== 0);
    const done = Promise.all(
      changes.map((name) => daemon.docker(running.has(name) ? ["kill", name] : ["start", name])),
    );
    const [launcher] = (await children(daemon.pid)).filter((pid) => links(pid).length > 0);
    if (launcher !== undefined && round % 2 === 1) process.kill(launcher, "SIGKILL");
    await done;
    running.clear();
    for (const name of (await daemon.ok(["ps", "--format", "{{.Names}}"])).split("\n").filter(Boolean))
      running.add(name);
    for (const name of names) {
      // While it is being given back it may lead to an address that nobody has any more.
      const answer = (): Promise<string> =>
        Promise.race([
          sleep(500 * patience, "nobody"),
          ask("127.0.0.1", port(name)).then(
            (seen) => seen?.name ?? "refused",
            () => "nobody",
          ),
        ]);
      await until(`${name} answers as it should`, async () => {
        const found = await answer();
        assert.ok([name, "refused", "nobody"].includes(found), `${found} answered for ${name}`);
        return found === (running.has(name) ? name : "refused");
      });
    }
  }
});
