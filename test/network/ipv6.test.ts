// IPv6: dual stack and alone, published ports on every kind of the host's addresses, names.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { run, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("ipv6");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const SUBNET = "fd5e:1234:5678:9abc";
const serve = ["sh", "-c", "mkdir /www; echo six > /www/index.html; exec httpd -f -p [::]:80 -h /www"];

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1500), headers: { connection: "close" } });
    return (await answer.text()) === "six\n";
  } catch {
    return false;
  }
}

/** An IPv6 address of the host's that is neither the loopback's nor one of a link alone; it may have none. */
const hostAddress = (): string | undefined =>
  Object.entries(networkInterfaces())
    .filter(([name]) => !/^(br|bn|berth)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .find(({ family, internal, scopeid }) => family === "IPv6" && !internal && scopeid === 0)?.address;

test("published ports answer on ::1 and the host's addresses, those of one address on that alone", async () => {
  await daemon.ok(["network", "create", "--ipv6", "--subnet", `${SUBNET}::/64`, "both"]);
  const gate = ["--network", "both", "--add-host", `gate:[${SUBNET}::1]`];
  const host = hostAddress();
  const published = ["-p", "28080:80", "-p", "[::1]:28081:80", ...(host ? ["-p", `[${host}]:28082:80`] : [])];
  await daemon.ok(["run", "-d", "--name", "web", ...gate, ...published, "busybox", ...serve]);
  await until("127.0.0.1 answers", () => answers("http://127.0.0.1:28080/"));
  await until("::1 answers", () => answers("http://[::1]:28080/"));
  assert.ok(await answers("http://[::1]:28081/"));
  assert.ok(!(await answers("http://127.0.0.1:28081/")));
  if (host) {
    assert.ok(await answers(`http://[${host}]:28080/`));
    assert.ok(await answers(`http://[${host}]:28082/`));
    assert.ok(!(await answers(`http://[${host}]:28081/`)));
    assert.ok(!(await answers("http://[::1]:28082/")));
  }
  const told = await daemon.ok(["port", "web", "80"]);
  assert.match(told, /^0\.0\.0\.0:28080$/m);
  assert.match(told, /^\[::\]:28080$/m);
  assert.match(told, /^\[::1\]:28081$/m);

  // A container reaches its own and others' by the bridge's address.
  const ask = ["wget", "-q", "-O", "-", "http://gate:28080/"];
  assert.equal(await daemon.ok(["exec", "web", ...ask]), "six");
  assert.equal(await daemon.ok(["run", "--rm", ...gate, "busybox", ...ask]), "six");
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.ok(await answers("http://[::1]:28080/"));
  await daemon.ok(["rm", "-f", "web"]);
  assert.ok(!(await answers("http://[::1]:28080/")));
  await daemon.ok(["network", "rm", "both"]);
});

test("ranges on IPv6", async () => {
  await daemon.ok(["network", "create", "--ipv6", "both"]);
  const published = ["-p", "28100-28200:28100-28200", "-p", "28300-28310:70-80"];
  await daemon.ok(["run", "-d", "--name", "web", "--network", "both", ...published, "busybox", ...serve]);
  await until("::1 answers", () => answers("http://[::1]:28310/"));
  await daemon.ok(["exec", "-d", "web", "httpd", "-f", "-p", "[::]:28150", "-h", "/www"]);
  await until("the range answers", () => answers("http://[::1]:28150/"));
  await daemon.ok(["rm", "-f", "web"]);
  // Any port, but the same on both families.
  await daemon.ok(["run", "-d", "--name", "web", "--network", "both", "-p", "80", "busybox", ...serve]);
  const told = (await daemon.ok(["port", "web", "80"])).split("\n").map((line) => line.split(":").at(-1));
  assert.equal(told.length, 2);
  assert.equal(new Set(told).size, 1);
  await daemon.ok(["rm", "-f", "web"]);
  await daemon.ok(["network", "rm", "both"]);
});

test("a network with IPv6 alone", async () => {
  await daemon.ok(["network", "create", "--ipv4=false", "--ipv6", "--subnet", `${SUBNET}::/64`, "six"]);
  const one = ["--name", "one", "--network", "six", "--ip6", `${SUBNET}::77`, "--network-alias", "site"];
  await daemon.ok(["run", "-d", ...one, "-p", "28080:80", "busybox", ...serve]);
  const asked = await daemon.ok([
    "run",
    "--rm",
    "--network",
    "six",
    "busybox",
    "nslookup",
    "-type=aaaa",
    "site",
  ]);
  assert.match(asked, new RegExp(`Address: ${SUBNET}::77`));
  const reverse = await daemon.ok([
    "run",
    "--rm",
    "--network",
    "six",
    "busybox",
    "nslookup",
    `${SUBNET}::77`,
  ]);
  assert.match(reverse, /name = one\.six/);
  const get = ["run", "--rm", "--network", "six", "busybox", "wget", "-q", "-O", "-", "http://site/"];
  await until("it answers by name", async () => (await daemon.docker(get)).stdout === "six\n");
  await until("::1 answers", () => answers("http://[::1]:28080/"));
  assert.ok(!(await answers("http://127.0.0.1:28080/")));
  const taken = await daemon.docker([
    "run",
    "--rm",
    "--network",
    "six",
    "--ip6",
    `${SUBNET}::77`,
    "busybox",
    "true",
  ]);
  assert.match(taken.stderr, /Address already in use/);
  const outside = await daemon.docker([
    "run",
    "--rm",
    "--network",
    "six",
    "--ip6",
    "fd00:9::1",
    "busybox",
    "true",
  ]);
  assert.match(outside.stderr, /no configured subnet contains IP address fd00:9::1/);
  await daemon.ok(["rm", "-f", "one"]);
  await daemon.ok(["network", "rm", "six"]);
});

test("a container takes nobody's IPv6 address, and without one it publishes on none", async () => {
  await daemon.ok(["network", "create", "--ipv6", "--subnet", `${SUBNET}::/64`, "both"]);
  const flags = ["--network", "both", "--cap-add", "NET_ADMIN"];
  await daemon.ok(["run", "-d", "--name", "thief", ...flags, "busybox", "sleep", "1000"]);
  await daemon.ok(["run", "-d", "--name", "peer", "--network", "both", "busybox", "sleep", "1000"]);
  const ping = (from: string, to: string) => daemon.docker(["exec", from, "ping", "-c", "1", "-W", "1", to]);
  await until("they reach each other", async () => (await ping("peer", `${SUBNET}::2`)).code === 0);
  await daemon.ok(["exec", "thief", "ip", "addr", "add", `${SUBNET}::66/64`, "dev", "eth0"]);
  assert.notEqual((await ping("peer", `${SUBNET}::66`)).code, 0);
  const refused = await daemon.docker(["run", "--rm", "-p", "[::1]:28080:80", "busybox", "true"]);
  assert.match(refused.stderr, /cannot publish a port on ::1: the container has no IPv6 address/);
  await daemon.ok(["rm", "-f", "thief", "peer"]);
  await daemon.ok(["network", "rm", "both"]);
});

test("the host's ends of links have no addresses, and no bridge keeps lists of who listens to what", async () => {
  await daemon.ok(["network", "create", "--ipv6", "both"]);
  await daemon.ok(["run", "-d", "--name", "first", "--network", "both", "busybox", "sleep", "1000"]);
  await daemon.ok(["run", "-d", "--name", "second", "--network", "none", "busybox", "sleep", "1000"]);
  await daemon.ok(["network", "disconnect", "none", "second"]);
  await daemon.ok(["network", "connect", "both", "second"]);
  const tag = daemon.cgroupParent.slice("berth-".length, "berth-".length + 4);
  const found = (begin: string) => readdirSync("/sys/class/net").filter((name) => name.startsWith(begin));
  // Those of the last test's containers go with their namespaces, which takes the kernel a while.
  await until("there are two links", () => found(`bv${tag}`).length === 2);
  const ends = found(`bv${tag}`);
  for (const end of ends)
    assert.equal(readFileSync(`/proc/sys/net/ipv6/conf/${end}/disable_ipv6`, "utf8"), "1\n", end);
  const [bridge] = found(`br-${tag}`);
  assert.equal(readFileSync(`/sys/class/net/${bridge}/bridge/multicast_snooping`, "utf8"), "0\n");
  await daemon.ok(["rm", "-f", "first", "second"]);
  await daemon.ok(["network", "rm", "both"]);
});

test("sctp ports get their rules; nothing else has them", async () => {
  await daemon.ok(["run", "-d", "--name", "signal", "-p", "28090:38412/sctp", "busybox", "sleep", "1000"]);
  assert.equal(await daemon.ok(["port", "signal"]), "38412/sctp -> 0.0.0.0:28090");
  const address = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "signal"]);
  const table = `berth_${daemon.cgroupParent.slice(6, 10)}`;
  const { stdout } = await run("nft", ["list", "map", "inet", table, "port4"]);
  assert.match(stdout, new RegExp(`sctp \\. 28090 : ${address.replaceAll(".", "\\.")} \\. 38412`));
  // The same number of another protocol is free.
  await daemon.ok(["run", "--rm", "-p", "28090:80", "busybox", "true"]);
  const again = await daemon.docker(["run", "--rm", "-p", "28090:80/sctp", "busybox", "true"]);
  assert.match(again.stderr, /Bind for 0\.0\.0\.0:28090 failed: port is already allocated/);
  await daemon.ok(["rm", "-f", "signal"]);
});
