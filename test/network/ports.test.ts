// Published ports with the real docker CLI: who reaches them, who may have them, what is left.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { run, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("ports");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const serve = (text: string, port = 80): string[] => [
  "sh",
  "-c",
  `mkdir /www; echo ${text} > /www/index.html; exec httpd -f -p ${port} -h /www`,
];

async function fetchText(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(3000), headers: { connection: "close" } });
  return (await answer.text()).trim();
}

/** What a server that may just be starting says. */
async function eventually(url: string, text: string): Promise<void> {
  await until(`${url} says ${text}`, async () => {
    try {
      return (await fetchText(url)) === text;
    } catch {
      return false;
    }
  });
}

/** An address of the host that is no loopback's. */
function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

test("a published port answers on the loopback and on the host's addresses; inspect, ps and port say so", async () => {
  const port = await freePort();
  await daemon.ok(["run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", ...serve("hello")]);
  await eventually(`http://127.0.0.1:${port}/`, "hello");
  await eventually(`http://${hostAddress()}:${port}/`, "hello");
  assert.equal(await daemon.ok(["port", "web"]), `80/tcp -> 0.0.0.0:${port}`);
  assert.equal(await daemon.ok(["ps", "--format", "{{.Ports}}"]), `0.0.0.0:${port}->80/tcp`);
  const bindings = await daemon.ok(["inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"]);
  assert.deepEqual(JSON.parse(bindings), { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: String(port) }] });
  await daemon.ok(["rm", "-f", "web"]);
  await assert.rejects(fetchText(`http://127.0.0.1:${port}/`));
});

test("a port on the loopback alone is not on the other addresses", async () => {
  const port = await freePort();
  await daemon.ok(["run", "-d", "--name", "web", "-p", `127.0.0.1:${port}:80`, "busybox", ...serve("near")]);
  await eventually(`http://127.0.0.1:${port}/`, "near");
  await assert.rejects(fetchText(`http://${hostAddress()}:${port}/`));
  await daemon.ok(["rm", "-f", "web"]);
});

test("a port that Berth or another program has is refused in dockerd's words, and nothing is left", async () => {
  const port = await freePort();
  await daemon.ok(["run", "-d", "--name", "first", "-p", `${port}:80`, "busybox", "sleep", "1000"]);
  const second = await daemon.docker([
    "run",
    "-d",
    "--name",
    "second",
    "-p",
    `${port}:80`,
    "busybox",
    "true",
  ]);
  assert.equal(second.code, 125);
  assert.match(
    second.stderr,
    /failed to set up container networking: driver failed programming external connectivity/,
  );
  assert.match(second.stderr, new RegExp(`Bind for 0\\.0\\.0\\.0:${port} failed: port is already allocated`));
  await daemon.ok(["rm", "-f", "first", "second"]);

  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const taken = (server.address() as AddressInfo).port;
  const third = await daemon.docker(["run", "--rm", "-p", `127.0.0.1:${taken}:80`, "busybox", "true"]);
  assert.equal(third.code, 125);
  assert.match(
    third.stderr,
    /failed to bind host port for 127\.0\.0\.1:\d+:[\d.]+:80\/tcp: address already in use/,
  );
  server.close();
  for (const ports of ["8000:80", "8000-8099:8000-8099"]) {
    const away = await daemon.docker(["run", "--rm", "-p", `203.0.113.9:${ports}`, "busybox", "true"]);
    assert.match(
      away.stderr,
      /failed to bind host port for 203\.0\.113\.9:8000:.*: cannot assign requested address/,
    );
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("containers are listed by the host's ports that lead to them, while they do", async () => {
  const port = await freePort();
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "listed",
    "-p",
    `${port}:80`,
    "-p",
    "53/udp",
    "busybox",
    "sleep",
    "1000",
  ]);
  const chosen = (await daemon.ok(["port", "listed", "53/udp"])).replace(/.*:/, "");
  const listed = (publish: string): Promise<string> =>
    daemon.ok(["ps", "-a", "--filter", `publish=${publish}`, "--format", "{{.Names}}"]);
  for (const mine of [`${port}`, `${port}/tcp`, `${port - 1}-${port + 1}`, `${chosen}/udp`])
    assert.equal(await listed(mine), "listed", mine);
  for (const other of ["80", "53/udp", `${port}/udp`, chosen]) assert.equal(await listed(other), "", other);
  await daemon.ok(["stop", "-t", "0", "listed"]);
  assert.equal(await listed(`${port}`), "");
  await daemon.ok(["rm", "listed"]);
});

test("udp arrives with its sender's address and the answer comes back", async () => {
  const port = await freePort();
  await daemon.ok(["run", "-d", "--name", "echo", "-p", `${port}:7/udp`, "busybox", "sleep", "1000"]);
  const pid = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "echo"]);
  const program = `
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("message", (text, from) => socket.send(text + " from " + from.address, from.port, from.address));
    socket.bind(7);`;
  // busybox has no server for UDP: one of the host's programs in the container's network.
  const server = spawn("nsenter", ["-t", pid, "-n", process.execPath, "-e", program]);
  const socket = createSocket("udp4").bind(0, hostAddress());
  const heard: string[] = [];
  socket.on("message", (message) => heard.push(message.toString()));
  try {
    await until("the echo comes back", async () => {
      socket.send("hello", port, hostAddress());
      await sleep(50);
      return heard.length > 0;
    });
    assert.equal(heard[0], `hello from ${hostAddress()}`);
  } finally {
    socket.close();
    server.kill();
  }
  await daemon.ok(["rm", "-f", "echo"]);
});

test("-P gives every exposed port one of the host's; a range picks what is free", async () => {
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "all",
    "-P",
    "--expose",
    "80",
    "--expose",
    "81",
    "busybox",
    ...serve("any"),
  ]);
  const [, port] = /80\/tcp -> 0\.0\.0\.0:(\d+)/.exec(await daemon.ok(["port", "all"])) ?? [];
  await eventually(`http://127.0.0.1:${port}/`, "any");
  assert.equal((await daemon.ok(["port", "all"])).split("\n").length, 2);
  await daemon.ok(["rm", "-f", "all"]);

  for (const name of ["one", "two"])
    await daemon.ok(["run", "-d", "--name", name, "-p", "27100-27109:80", "busybox", ...serve(name)]);
  const ports = await Promise.all(["one", "two"].map((name) => daemon.ok(["port", name, "80"])));
  assert.deepEqual(ports, ["0.0.0.0:27100", "0.0.0.0:27101"]);
  await eventually("http://127.0.0.1:27101/", "two");
  await daemon.ok(["rm", "-f", "one", "two"]);
});

test("5000 ports at once, each leads to its own", async () => {
  await daemon.ok([
    "create",
    "--name",
    "wide",
    "-p",
    "20000-24999:20000-24999",
    "busybox",
    ...serve("wide", 24_567),
  ]);
  await daemon.ok([
    "create",
    "--name",
    "moved",
    "-p",
    "25000-26999:10000-11999",
    "busybox",
    ...serve("moved", 11_000),
  ]);
  await daemon.ok(["start", "wide"]);
  await daemon.ok(["start", "moved"]);
  await eventually("http://127.0.0.1:24567/", "wide");
  await eventually("http://127.0.0.1:26000/", "moved");
  await daemon.ok(["rm", "-f", "wide", "moved"]);
});

test("a container reaches published ports by the host's address: another's and its own", async () => {
  const port = await freePort();
  const gateway = "ip route | awk '/default/ {print $3}'";
  await daemon.ok(["run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", ...serve("round")]);
  await eventually(`http://127.0.0.1:${port}/`, "round");
  const ask = ["sh", "-c", `printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 3 $(${gateway}) ${port} | tail -n 1`];
  assert.equal(await daemon.ok(["exec", "web", ...ask]), "round");
  assert.equal(await daemon.ok(["run", "--rm", "busybox", ...ask]), "round");
  await daemon.ok(["network", "create", "elsewhere"]);
  assert.equal(await daemon.ok(["run", "--rm", "--network", "elsewhere", "busybox", ...ask]), "round");
  await daemon.ok(["rm", "-f", "web"]);
  await daemon.ok(["network", "rm", "elsewhere"]);
});

test("a published port is kept from other programs, and given back", async () => {
  const port = await freePort();
  const other = (): Promise<string> =>
    new Promise((done) => {
      const server = createServer().listen(port, "0.0.0.0");
      server.once("error", (error) => done(String(error)));
      server.once("listening", () => server.close(() => done("")));
    });
  await daemon.ok(["run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", ...serve("held")]);
  await eventually(`http://127.0.0.1:${port}/`, "held");
  assert.match(await other(), /EADDRINUSE/);
  await daemon.down("SIGKILL");
  await daemon.up();
  await eventually(`http://127.0.0.1:${port}/`, "held");
  assert.match(await other(), /EADDRINUSE/);
  await daemon.ok(["restart", "-t", "0", "web"]);
  await eventually(`http://127.0.0.1:${port}/`, "held");
  await daemon.ok(["rm", "-f", "web"]);
  assert.equal(await other(), "");
});

test("the first network by name leads out, or that of the highest priority, and published ports follow", async () => {
  const names = ["zoo", "alps", "beach"];
  for (const name of names) await daemon.ok(["network", "create", name]);
  const port = await freePort();
  await daemon.ok([
    "run",
    "-d",
    "--name",
    "web",
    "--network",
    "zoo",
    "-p",
    `${port}:80`,
    "busybox",
    ...serve("out"),
  ]);
  const leads = async (network: string): Promise<void> => {
    const format = `{{(index .NetworkSettings.Networks "${network}").Gateway}}`;
    const gateway = await daemon.ok(["inspect", "-f", format, "web"]);
    const routes = await daemon.ok(["exec", "web", "ip", "route"]);
    assert.deepEqual(
      [...routes.matchAll(/^default via (\S+)/gm)].map(([, way]) => way),
      [gateway],
      network,
    );
    await eventually(`http://127.0.0.1:${port}/`, "out");
  };
  await leads("zoo");
  await daemon.ok(["network", "connect", "alps", "web"]);
  await leads("alps");
  await daemon.ok(["network", "connect", "--gw-priority", "1", "beach", "web"]);
  await leads("beach");
  await daemon.ok(["restart", "-t", "0", "web"]);
  await leads("beach");
  await daemon.ok(["network", "disconnect", "beach", "web"]);
  await leads("alps");
  await daemon.down("SIGKILL");
  await daemon.up();
  await leads("alps");
  await daemon.ok(["network", "disconnect", "alps", "web"]);
  await leads("zoo");
  await daemon.ok(["rm", "-f", "web"]);
  await assert.rejects(fetchText(`http://127.0.0.1:${port}/`));
  await daemon.ok(["network", "rm", ...names]);
});

test("what an administrator took away is made again on demand, and by a restart", async () => {
  const port = await freePort();
  // Out of the pools: other daemons take from these what has no bridge for the moment.
  const subnet = `10.234.${port % 256}.0/24`;
  await daemon.ok(["network", "create", "--ipv6", "--subnet", subnet, "mended"]);
  const flags = ["--network", "mended", "-p", `${port}:80`];
  await daemon.ok(["run", "-d", "--name", "web", ...flags, "busybox", ...serve("mended")]);
  await daemon.ok(["run", "-d", "--name", "peer", "--network", "mended", "busybox", "sleep", "1000"]);
  await eventually(`http://127.0.0.1:${port}/`, "mended");
  const tag = daemon.cgroupParent.slice(6, 10);
  const id = await daemon.ok(["network", "inspect", "-f", "{{.Id}}", "mended"]);
  const breakAll = async (): Promise<void> => {
    // As `nft flush ruleset` would, but for what belongs to others.
    for (const family of ["inet", "bridge"]) await run("nft", ["delete", "table", family, `berth_${tag}`]);
    for (const link of [`br-${tag}${id.slice(0, 8)}`, `bn${tag}0`]) {
      const { code, stderr } = await run("ip", ["link", "del", link]);
      assert.equal(code, 0, stderr);
    }
    // Not from the loopback: without a bridge its connections would leave the machine for the container's address.
    await assert.rejects(fetchText(`http://${hostAddress()}:${port}/`));
  };
  const isWhole = async (): Promise<void> => {
    await eventually(`http://127.0.0.1:${port}/`, "mended");
    await eventually(`http://${hostAddress()}:${port}/`, "mended");
    await daemon.ok(["exec", "peer", "ping", "-c", "1", "-W", "2", "web"]);
  };
  await breakAll();
  assert.equal((await daemon.berth(["network", "repair"])).code, 0);
  await isWhole();
  await breakAll();
  await daemon.down("SIGKILL");
  await daemon.up();
  await isWhole();
  await daemon.ok(["rm", "-f", "web", "peer"]);
  await daemon.ok(["network", "rm", "mended"]);
});

test("rules that were flushed are loaded again on demand, the administrator's own among them", async () => {
  const port = await freePort();
  await daemon.ok(["run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", ...serve("still")]);
  await eventually(`http://127.0.0.1:${port}/`, "still");
  const table = `berth_${daemon.cgroupParent.slice(6, 10)}`;
  assert.equal((await run("nft", ["delete", "table", "inet", table])).code, 0);
  await assert.rejects(fetchText(`http://${hostAddress()}:${port}/`));
  assert.equal((await daemon.berth(["network", "repair"])).code, 0);
  await eventually(`http://${hostAddress()}:${port}/`, "still");
  await run("nft", ["add", "rule", "inet", table, "user", "ct", "mark", "0x1234", "drop"]);
  assert.equal((await daemon.berth(["network", "repair"])).code, 0);
  const { stdout } = await run("nft", ["list", "chain", "inet", table, "user"]);
  assert.match(stdout, /ct mark 0x00001234 drop/);
  await daemon.ok(["rm", "-f", "web"]);
});

test("published ports honour the administrator's chain, and other tables are left alone", async (t) => {
  const foreign = `bt${process.pid}`;
  t.after(() => run("nft", ["delete", "table", "inet", foreign]));
  await run("nft", ["add", "table", "inet", foreign]);
  await run("nft", ["add", "chain", "inet", foreign, "own", "{ type filter hook forward priority -10; }"]);
  await run("nft", ["add", "rule", "inet", foreign, "own", "counter"]);
  const listing = async (): Promise<string> => {
    const { stdout } = await run("nft", ["--stateless", "list", "table", "inet", foreign]);
    return stdout;
  };
  const before = await listing();
  const port = await freePort();
  await daemon.ok(["network", "create", "elsewhere"]);
  await daemon.ok(["run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", ...serve("open")]);
  await eventually(`http://127.0.0.1:${port}/`, "open");
  const ask = `printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 2 $(ip route | awk '/default/ {print $3}') ${port} | tail -n 1`;
  const asked = (): Promise<string> =>
    daemon.ok(["run", "--rm", "--network", "elsewhere", "busybox", "sh", "-c", `${ask}; true`]);
  assert.equal(await asked(), "open");
  const table = `berth_${daemon.cgroupParent.slice(6, 10)}`;
  const rules = [
    ["meta", "l4proto", "tcp", "ct", "original", "proto-dst", String(port), "drop"],
    ["ip", "saddr", "!=", "192.0.2.0/24", "ct", "direction", "original", "ct", "status", "dnat", "drop"],
  ];
  for (const rule of rules) {
    const added = await run("nft", ["add", "rule", "inet", table, "user", ...rule]);
    assert.equal(added.code, 0, added.stderr);
    assert.equal((await daemon.berth(["network", "repair"])).code, 0);
    assert.equal(await asked(), "");
    await run("nft", ["flush", "chain", "inet", table, "user"]);
    assert.equal(await asked(), "open");
  }
  await daemon.ok(["rm", "-f", "web"]);
  await daemon.ok(["network", "rm", "elsewhere"]);
  assert.equal(await listing(), before);
});
