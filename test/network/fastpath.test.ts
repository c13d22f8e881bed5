// Packets between containers of a network, and between them and the host, that do not pass the bridge. Rules
// on the bridge that drop every packet of the test's containers show which way packets go.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { release } from "node:os";
import { after, afterEach, before, test } from "node:test";
import { linkIndex } from "../../src/network/bridge.ts";
import { run, TestDaemon, until } from "../support/daemon.ts";

const [major = 0, minor = 0] = release().split(".").map(Number);
const skip =
  major < 6 || (major === 6 && minor < 7)
    ? `Linux ${release()} does not count packets that come this way (6.7 does)`
    : false;

const table = `bt_fast_${process.pid}`;
let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("fast");
  await daemon.ok(["network", "create", "--ipv6", "fast"]);
  await daemon.ok(["network", "create", "--ipv6", "-o", "berth.fastpath=false", "slow"]);
});
afterEach(async () => {
  await unblock();
  const left = (await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean);
  if (left.length > 0) await daemon.ok(["rm", "-f", ...left]);
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const web = ["sh", "-c", "mkdir /www; echo here > /www/index.html; exec httpd -f -p 80 -h /www"];

/** A container that serves "here" on port 80. */
async function server(name: string, network: string, ...flags: string[]): Promise<void> {
  await daemon.ok(["run", "-d", "--name", name, "--network", network, ...flags, "busybox", ...web]);
  await until(
    `${name} serves`,
    async () => (await daemon.docker(["exec", name, ...get("127.0.0.1")])).code === 0,
  );
}

const get = (address: string): string[] => ["timeout", "2", "wget", "-q", "-O", "-", `http://${address}/`];

const reaches = async (from: string, address: string): Promise<boolean> =>
  (await daemon.docker(["exec", from, ...get(address.includes(":") ? `[${address}]` : address)])).stdout ===
  "here\n";

const hostReaches = async (url: string): Promise<boolean> => {
  try {
    return (await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text()) === "here\n";
  } catch {
    return false;
  }
};

const inspect = (name: string, format: string): Promise<string> => daemon.ok(["inspect", "-f", format, name]);
const address = (name: string, field = "IPAddress", network = "fast"): Promise<string> =>
  inspect(name, `{{(index .NetworkSettings.Networks "${network}").${field}}}`);
const published = async (name: string): Promise<string> =>
  `http://127.0.0.1:${await inspect(name, '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}')}/`;

/** The name of the host's end of a container's first link. */
async function linkOf(container: string): Promise<string> {
  const index = Number(await daemon.ok(["exec", container, "cat", "/sys/class/net/eth0/iflink"]));
  const found = readdirSync("/sys/class/net").find((name) => linkIndex(name) === index);
  return found ?? assert.fail(`no link ${index}`);
}

/** Has bridges drop what comes from and goes to containers, but for what finds neighbours. */
async function blockBridges(...containers: string[]): Promise<void> {
  const links = (await Promise.all(containers.map(linkOf))).join(", ");
  const dropped = ["ether type ip", "icmpv6 type echo-request", "ether type ip6 meta l4proto tcp"];
  const chain = (hook: string, side: string): string =>
    `chain ${hook} { type filter hook ${hook} priority 0;\n${dropped.map((what) => `${side} { ${links} } ${what} drop`).join("\n")}\n}`;
  const chains = [chain("forward", "iifname"), chain("input", "iifname"), chain("output", "oifname")];
  const rules = `add table bridge ${table}\ndelete table bridge ${table}\ntable bridge ${table} { ${chains.join("\n")}\n}`;
  const { code, stderr } = await run("nft", ["-f", "-"], {
    input: rules,
  });
  assert.equal(code, 0, stderr);
}

const unblock = async (): Promise<void> => {
  await run("nft", ["delete", "table", "bridge", table]);
};

test("packets between containers and with the host go past the bridge, of both families", {
  skip,
}, async () => {
  await server("one", "fast", "-p", "80");
  await server("two", "fast");
  const [ipv4, ipv6] = [await address("one"), await address("one", "GlobalIPv6Address")];
  await until("IPv6 is up", () => reaches("two", ipv6));
  await blockBridges("one", "two");
  assert.ok(await reaches("two", ipv4), "another container");
  assert.ok(await reaches("two", ipv6), "another container by IPv6");
  assert.ok(await hostReaches(`http://${ipv4}/`), "from the host");
  assert.ok(await hostReaches(await published("one")), "a published port");
});

test("not where a network does not want it, nor where its containers are kept apart", { skip }, async () => {
  await server("one", "slow", "-p", "80");
  await server("two", "slow");
  const ipv4 = await address("one", "IPAddress", "slow");
  assert.ok(await reaches("two", ipv4));
  await blockBridges("one", "two");
  assert.ok(!(await reaches("two", ipv4)));
  assert.ok(!(await hostReaches(await published("one"))));
  await unblock();
  await daemon.ok(["rm", "-f", "one", "two"]);
  const refused = await daemon.docker(["network", "create", "-o", "berth.fastpath=maybe", "odd"]);
  assert.match(refused.stderr, /failed to parse berth\.fastpath value: "maybe"/);

  await daemon.ok(["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "cells"]);
  await server("one", "cells", "-p", "80");
  await server("two", "cells");
  assert.ok(!(await reaches("two", await address("one", "IPAddress", "cells"))));
  assert.ok(await hostReaches(await published("one")));
  await daemon.ok(["rm", "-f", "one", "two"]);
  await daemon.ok(["network", "rm", "cells"]);
});

test("a bridge of the host's own, with its address, is used as it is, and stays", async (t) => {
  const bridge = `bt${process.pid}`;
  t.after(() => run("ip", ["link", "del", bridge]));
  for (const args of [
    ["link", "add", bridge, "type", "bridge"],
    ["addr", "add", "10.197.32.1/24", "dev", bridge],
    ["link", "set", bridge, "up"],
  ]) {
    const { code, stderr } = await run("ip", args);
    assert.equal(code, 0, stderr);
  }
  const named = ["-o", `com.docker.network.bridge.name=${bridge}`];
  const elsewhere = await daemon.docker(["network", "create", "--subnet", "10.197.32.0/24", "elsewhere"]);
  assert.match(elsewhere.stderr, /Pool overlaps with a route of the host/);
  await daemon.ok(["network", "create", "--subnet", "10.197.32.0/24", ...named, "theirs"]);
  await server("one", "theirs", "-p", "80");
  await server("two", "theirs");
  assert.ok(await reaches("two", await address("one", "IPAddress", "theirs")));
  assert.ok(await hostReaches(await published("one")));
  const filters = await run("tc", ["filter", "show", "dev", bridge, "egress"]);
  assert.equal(filters.stdout, "", "its packets are bridged");
  await daemon.ok(["rm", "-f", "one", "two"]);
  await daemon.ok(["network", "rm", "theirs"]);
  assert.match((await run("ip", ["-o", "addr", "show", "dev", bridge])).stdout, /10\.197\.32\.1/);
});

test("what goes that way is counted at both ends", { skip }, async () => {
  const size = 4 << 20;
  await server("one", "fast");
  await daemon.ok(["exec", "one", "sh", "-c", `head -c ${size} /dev/zero > /www/large`]);
  await daemon.ok(["run", "-d", "--name", "two", "--network", "fast", "busybox", "sleep", "1000"]);
  await daemon.ok(["exec", "two", "wget", "-q", "-O", "/dev/null", `http://${await address("one")}/large`]);
  const counted = async (name: string): Promise<Record<string, number>> => {
    const { stdout } = await run("curl", [
      ...["-s", "--unix-socket", daemon.socket],
      `http://localhost/v1.43/containers/${name}/stats?stream=false&one-shot=true`,
    ]);
    return JSON.parse(stdout).networks.eth0;
  };
  const [sender, receiver] = [await counted("one"), await counted("two")];
  assert.ok((receiver.rx_bytes ?? 0) >= size, `received ${receiver.rx_bytes}`);
  assert.ok((sender.tx_bytes ?? 0) >= size, `sent ${sender.tx_bytes}`);
});

test("connect and disconnect of running containers, and an address that goes from one to the next", {
  skip,
}, async () => {
  await server("one", "fast");
  await server("two", "slow");
  await daemon.ok(["network", "connect", "fast", "two"]);
  const own = await address("two");
  assert.ok(await reaches("one", own));
  await daemon.ok(["network", "disconnect", "fast", "two"]);
  assert.ok(!(await reaches("one", own)));
  await daemon.ok(["network", "create", "--subnet", "10.197.31.0/24", "given"]);
  for (const name of ["first", "second"]) {
    await server(name, "given", "--ip", "10.197.31.77");
    await server("asker", "given");
    await blockBridges(name, "asker");
    assert.ok(await reaches("asker", "10.197.31.77"), `the ${name} of an address`);
    await unblock();
    await daemon.ok(["rm", "-f", name, "asker"]);
  }
  await daemon.ok(["network", "rm", "given"]);
});

test("it needs no daemon, and one that comes after agrees with the containers there are", {
  skip,
}, async () => {
  await server("one", "fast");
  await server("two", "fast");
  await server("gone", "fast");
  const [ipv4, lost] = [await address("one"), await address("gone")];
  assert.ok(await reaches("two", ipv4));
  await blockBridges("one", "two");
  const pid = Number(await inspect("two", "{{.State.Pid}}"));
  const last = Number(await inspect("gone", "{{.State.Pid}}"));
  await daemon.down("SIGKILL");
  const ask = `exec 3<>/dev/tcp/${ipv4}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 2 tail -n 1 <&3`;
  const { stdout } = await run("nsenter", ["--target", String(pid), "--net", "bash", "-c", ask]);
  assert.equal(stdout, "here\n");
  process.kill(last, "SIGKILL");
  await daemon.up();
  assert.ok(await reaches("two", ipv4));
  await unblock();
  await daemon.ok(["rm", "-f", "gone"]);
  for (let at = 0; (await address("two")) !== lost && at < 10; at++) {
    await daemon.ok(["rm", "-f", "two"]);
    await server("two", "fast");
  }
  await blockBridges("one", "two");
  assert.ok(await reaches("one", await address("two")));
});

test("a program that somebody took away keeps nobody from starting, and is made again on demand", {
  skip,
}, async () => {
  await server("one", "fast");
  const bridge = `br-${daemon.cgroupParent.slice(6, 10)}${(await daemon.ok(["network", "inspect", "-f", "{{.Id}}", "fast"])).slice(0, 8)}`;
  for (const link of [bridge, await linkOf("one")]) {
    const { code, stderr } = await run("tc", ["qdisc", "del", "dev", link, "clsact"]);
    assert.equal(code, 0, stderr);
  }
  await server("two", "fast");
  assert.ok(await reaches("two", await address("one")));
  assert.equal((await daemon.berth(["network", "repair"])).code, 0);
  await blockBridges("one", "two");
  assert.ok(await reaches("two", await address("one")));
  assert.ok(await reaches("one", await address("two")));
});

test("another's hardware address opens nothing", { skip }, async () => {
  await server("one", "fast");
  await server("two", "fast");
  await server("thief", "fast", "--cap-add", "NET_ADMIN");
  const target = await address("one");
  assert.ok(await reaches("thief", target));
  const mac = await address("two", "MacAddress");
  await daemon.ok(["exec", "thief", "ip", "link", "set", "eth0", "address", mac]);
  assert.ok(!(await reaches("thief", target)));
});

test("of two addresses that have one place in the map the later goes that way, the other over the bridge", {
  skip,
}, async () => {
  await daemon.ok(["network", "create", "--subnet", "10.249.0.0/16", "wide"]);
  await server("early", "wide", "--ip", "10.249.0.5", "-p", "80");
  await server("late", "wide", "--ip", "10.249.8.5", "-p", "80");
  await server("aside", "wide", "--ip", "10.249.0.6");
  const all = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      for (const from of ["early", "late", "aside"])
        assert.ok(await reaches(from, await address(name, "IPAddress", "wide")), `${from} reaches ${name}`);
      if (name !== "aside") assert.ok(await hostReaches(await published(name)), `the host reaches ${name}`);
    }
  };
  await all("early", "late", "aside");
  await blockBridges("late", "aside");
  assert.ok(await reaches("aside", "10.249.8.5"));
  await unblock();
  await blockBridges("early", "aside");
  assert.ok(!(await reaches("aside", "10.249.0.5")));
  await unblock();
  // The one that comes later is now the other; what goes away does not take its place along.
  await daemon.ok(["restart", "-t", "0", "early"]);
  await until("early serves again", () => reaches("aside", "10.249.0.5"));
  await all("early", "late", "aside");
  await daemon.ok(["stop", "-t", "0", "late"]);
  await blockBridges("early", "aside");
  assert.ok(await reaches("aside", "10.249.0.5"));
  await unblock();
  await daemon.ok(["rm", "-f", "early", "late", "aside"]);
  await daemon.ok(["network", "rm", "wide"]);
});
