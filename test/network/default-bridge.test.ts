// The default network as the daemon's flags have it, with dockerd's names and values.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, dockerArchive } from "../support/images.ts";

const daemon = new TestDaemon("default");
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const network = async () => {
  const [{ IPAM, EnableIPv6, Options }] = JSON.parse(await daemon.ok(["network", "inspect", "bridge"]));
  return { config: IPAM.Config, six: EnableIPv6, options: Options };
};
const own = (name: string): string => `com.docker.network.${name}`;
const sleeper = (name: string): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, "busybox", "sleep", "1000"]);
const inside = (name: string, ...command: string[]): Promise<string> => daemon.ok(["exec", name, ...command]);

test("address, range, way out, IPv6, packet size and what containers may do", async () => {
  const flags = [
    "--bip",
    "10.231.7.1/24",
    "--fixed-cidr",
    "10.231.7.128/25",
    "--default-gateway",
    "10.231.7.254",
  ];
  const six = ["--ipv6", "--fixed-cidr-v6", "fd31:7::/64"];
  await daemon.up(...flags, ...six, "--mtu", "1400", "--icc=false", "--ip-masq=false", "--ip", "127.0.0.5");
  await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  const { config, six: hasSix, options } = await network();
  assert.deepEqual(config[0], {
    Subnet: "10.231.7.0/24",
    IPRange: "10.231.7.128/25",
    Gateway: "10.231.7.1",
    AuxiliaryAddresses: { DefaultGatewayIPv4: "10.231.7.254" },
  });
  assert.equal(config[1].Subnet, "fd31:7::/64");
  assert.ok(hasSix);
  assert.equal(options[own("bridge.enable_icc")], "false");
  assert.equal(options[own("bridge.enable_ip_masquerade")], "false");
  assert.equal(options[own("bridge.host_binding_ipv4")], "127.0.0.5");
  assert.equal(options[own("driver.mtu")], "1400");

  await daemon.ok(["run", "-d", "--name", "one", "-p", "80", "busybox", "sleep", "1000"]);
  await sleeper("two");
  const addresses = await inside("one", "ip", "-o", "addr", "show", "dev", "eth0");
  const [, last] = /inet 10\.231\.7\.(\d+)\/24/.exec(addresses) ?? [];
  assert.ok(Number(last) >= 128, addresses);
  assert.match(addresses, /inet6 fd31:7::[0-9a-f]+\/64/);
  assert.match(await inside("one", "ip", "route"), /^default via 10\.231\.7\.254 /m);
  assert.equal(await inside("one", "cat", "/sys/class/net/eth0/mtu"), "1400");
  assert.equal(await daemon.ok(["inspect", "-f", "{{.NetworkSettings.Gateway}}", "one"]), "10.231.7.254");
  assert.match(await daemon.ok(["port", "one"]), /^80\/tcp -> 127\.0\.0\.5:\d+$/);
  assert.equal(
    (await daemon.docker(["exec", "two", "ping", "-c", "1", "-W", "1", `10.231.7.${last}`])).code,
    1,
  );
  assert.equal((await daemon.docker(["exec", "two", "ping", "-c", "1", "-W", "1", "10.231.7.1"])).code, 0);
});

test("containers that run keep their addresses when flags change; without any the flags hold", async () => {
  await daemon.down();
  await daemon.up("--bip", "10.231.8.1/24");
  assert.match(
    daemon.log,
    /containers are in the default network: it gets other addresses when none is in it/,
  );
  assert.equal((await network()).config[0].Subnet, "10.231.7.0/24");
  await sleeper("three");
  assert.equal((await daemon.docker(["exec", "three", "ping", "-c", "1", "-W", "1", "10.231.7.1"])).code, 0);
  await daemon.ok(["rm", "-f", "one", "two", "three"]);
  await daemon.down();
  await daemon.up("--bip", "10.231.8.1/24", "--ipv6");
  const { config, six } = await network();
  assert.deepEqual(config[0], { Subnet: "10.231.8.0/24", Gateway: "10.231.8.1" });
  assert.match(config[1].Subnet, /^fd[0-9a-f:]+::\/64$/);
  assert.ok(six);
  await sleeper("four");
  assert.match(
    await inside("four", "ip", "-o", "addr", "show", "dev", "eth0"),
    /inet 10\.231\.8\.2\/24[\s\S]*inet6 fd/,
  );
  await daemon.ok(["rm", "-f", "four"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  await sleeper("five");
  const later = await network();
  assert.equal(later.config.length, 1);
  assert.notEqual(later.config[0].Subnet, "10.231.8.0/24");
  assert.equal(later.six, false);
  assert.equal(later.options[own("bridge.enable_icc")], "true");
  await daemon.ok(["rm", "-f", "five"]);
});

test("a network of a user's own leads out by the address that it names so", async () => {
  const flags = ["--subnet", "10.231.9.0/24", "--aux-address", "DefaultGatewayIPv4=10.231.9.77"];
  await daemon.ok(["network", "create", ...flags, "aside"]);
  const routes = await daemon.ok(["run", "--rm", "--network", "aside", "busybox", "ip", "route"]);
  assert.match(routes, /^default via 10\.231\.9\.77 /m);
  await daemon.ok(["network", "rm", "aside"]);
});

test("what cannot be keeps the daemon from starting, and says why", async () => {
  for (const [flags, why] of [
    [["--bip", "nonsense"], /invalid CIDR address: nonsense/],
    [["--bip", "10.231.7.1"], /invalid CIDR address: 10\.231\.7\.1/],
    [["--bip", "10.231.7.0/24"], /failed to allocate gateway \(10\.231\.7\.0\): Address already in use/],
    [["--bip", "10.231.7.1/24", "--default-gateway", "10.1.1.1"], /doesn't contain this address/],
    [["--bip", "10.231.7.1/24", "--fixed-cidr", "10.88.0.0/25"], /doesn't contain ip-range/],
    [["--mtu", "abc"], /invalid argument "abc" for "--mtu" flag/],
    [["--icc=perhaps"], /invalid argument "perhaps" for "--icc" flag/],
  ] as const) {
    const wrong = new TestDaemon("default");
    await assert.rejects(wrong.up(...flags), why);
    rmSync(wrong.directory, { recursive: true });
  }
});
