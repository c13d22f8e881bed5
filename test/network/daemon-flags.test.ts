// dockerd's flags of networking: what containers get that do not say, another's bridge, no default network.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { after, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { busyboxImage, dockerArchive } from "../support/images.ts";

const daemon = new TestDaemon("flags");
const bridge = `bt${process.pid}`;
after(async () => {
  await daemon.end();
  await run("ip", ["link", "del", bridge]);
  assert.deepEqual(daemon.leftovers(), []);
});

const inside = (name: string, ...command: string[]): Promise<string> => daemon.ok(["exec", name, ...command]);
const ip = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await run("ip", args);
  assert.equal(code, 0, stderr);
};
const sleeper = (name: string, ...options: string[]): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, ...options, "busybox", "sleep", "1000"]);

test("name servers, the host's address and options of networks for those that do not say", async () => {
  const dns = ["--dns", "192.0.2.53", "--dns-search", "shop.test", "--dns-opt", "timeout:1"];
  const option = "--default-network-opt=bridge=com.docker.network.driver.mtu=1400";
  await daemon.up(...dns, "--host-gateway-ip", "192.0.2.1", option, "--userland-proxy", "--iptables=true");
  await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  await sleeper("web", "--add-host", "host:host-gateway");
  const file = await inside("web", "cat", "/etc/resolv.conf");
  assert.equal(file, "search shop.test\nnameserver 192.0.2.53\noptions timeout:1");
  assert.match(await inside("web", "cat", "/etc/hosts"), /^192\.0\.2\.1\thost$/m);
  await sleeper("own", "--dns", "192.0.2.99", "--dns-search", ".");
  assert.equal(await inside("own", "cat", "/etc/resolv.conf"), "nameserver 192.0.2.99\noptions timeout:1");
  await daemon.ok(["network", "create", "small"]);
  await daemon.ok(["network", "create", "-o", "com.docker.network.driver.mtu=1300", "smaller"]);
  for (const [network, mtu] of [
    ["small", "1400"],
    ["smaller", "1300"],
  ] as const)
    assert.equal(
      await daemon.ok(["run", "--rm", "--network", network, "busybox", "cat", "/sys/class/net/eth0/mtu"]),
      mtu,
    );
  const named = await daemon.ok(["run", "--rm", "--network", "small", "busybox", "cat", "/etc/resolv.conf"]);
  assert.match(named, /^search shop\.test\nnameserver 127\.0\.0\.11$/m);
  await daemon.ok(["network", "rm", "small", "smaller"]);
  await daemon.ok(["rm", "-f", "web", "own"]);
});

test("a bridge that is there, with its address, and it stays", async () => {
  await daemon.down();
  await ip("link", "add", bridge, "type", "bridge");
  await ip("addr", "add", "10.231.9.7/24", "dev", bridge);
  await daemon.up("--bridge", bridge, "--fixed-cidr", "10.231.9.128/25");
  await sleeper("web", "-p", "28180:80");
  const [{ IPAM, Options }] = JSON.parse(await daemon.ok(["network", "inspect", "bridge"]));
  assert.deepEqual(IPAM.Config[0], {
    Subnet: "10.231.9.0/24",
    IPRange: "10.231.9.128/25",
    Gateway: "10.231.9.7",
  });
  assert.equal(Options["com.docker.network.bridge.name"], bridge);
  assert.match(await inside("web", "ip", "route"), /^default via 10\.231\.9\.7 /m);
  assert.equal((await daemon.docker(["exec", "web", "ping", "-c1", "-W2", "10.231.9.7"])).code, 0);
  assert.equal(readFileSync(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, "utf8"), "0\n");
  // Who is in it keeps it from being another.
  await daemon.down();
  await daemon.up("-b", "none");
  assert.match(daemon.log, /containers are in the default network/);
  assert.equal((await daemon.docker(["exec", "web", "ping", "-c1", "-W2", "10.231.9.7"])).code, 0);
  await daemon.ok(["rm", "-f", "web"]);
  await daemon.down();
  assert.equal((await run("ip", ["link", "show", bridge])).code, 0);
});

test("no default network: what would be in it has the loopback alone", async () => {
  await daemon.up("-b", "none");
  assert.equal(await daemon.ok(["network", "ls", "--format", "{{.Name}}"]), "host\nnone");
  assert.match((await daemon.docker(["network", "inspect", "bridge"])).stderr, /network bridge not found/);
  await sleeper("web", "-p", "28181:80");
  await sleeper("asked", "--network", "bridge", "--add-host", "host:host-gateway");
  for (const name of ["web", "asked"]) assert.equal(await inside(name, "ls", "/sys/class/net"), "lo");
  await daemon.ok(["network", "create", "shop"]);
  await daemon.ok(["network", "connect", "shop", "web"]);
  assert.equal(await inside("web", "ls", "/sys/class/net"), "eth0\nlo");
  await daemon.ok(["rm", "-f", "web", "asked"]);
  await daemon.ok(["network", "rm", "shop"]);
  await daemon.down();
  await daemon.up();
  await sleeper("web");
  assert.equal(await inside("web", "ls", "/sys/class/net"), "eth0\nlo");
});

test("what cannot be keeps the daemon from starting, and says why", async () => {
  const refused = async (...flags: string[]): Promise<string> => {
    const other = new TestDaemon("refused");
    try {
      await other.up(...flags);
      await other.down();
      return "";
    } catch (error) {
      return String(error);
    } finally {
      rmSync(other.directory, { recursive: true, force: true });
    }
  };
  assert.match(
    await refused("--bridge", "bt-none"),
    /bridge device with non default name bt-none must be created/,
  );
  assert.match(await refused("--bridge", "lo"), /bridge device with non default name lo must be created/);
  assert.match(await refused("-b", "x", "--bip", "10.1.0.1/24"), /mutually exclusive options/);
  assert.match(await refused("--iptables=false"), /there is no network without them/);
  assert.match(await refused("--dns", "nowhere"), /invalid argument "nowhere" for "--dns" flag/);
  assert.match(await refused("--ip-forward=perhaps"), /it takes true or false/);
  assert.match(await refused("--default-network-opt", "bridge"), /driver=option=value/);
});
