// Networks on a link of the host: macvlan in containers, what ipvlan and the rest say where the kernel has none.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
/** A pair of links of the test's own; nothing but containers is on it. */
const parent = `bt${process.pid}a`;
const far = `bt${process.pid}b`;

const ip = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await run("ip", args);
  assert.equal(code, 0, `ip ${args.join(" ")}: ${stderr}`);
};

before(async () => {
  await ip("link", "add", parent, "type", "veth", "peer", "name", far);
  for (const name of [parent, far]) await ip("link", "set", name, "up");
  daemon = await TestDaemon.start("macvlan");
});
after(async () => {
  await daemon.end();
  await ip("link", "del", parent);
  assert.deepEqual(daemon.leftovers(), []);
});

const sleeper = (name: string, ...flags: string[]): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, ...flags, "busybox", "sleep", "1000"]);
const hosts = (name: string): Promise<string> => daemon.ok(["exec", name, "cat", "/etc/hosts"]);

test("containers of a macvlan reach each other, by address and name, and are moved in and out of it", async () => {
  const subnet = ["--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254"];
  await daemon.ok(["network", "create", "-d", "macvlan", "-o", `parent=${parent}`, ...subnet, "lan"]);
  await sleeper("one", "--network", "lan", "--ip", "10.77.0.10", "--mac-address", "02:42:00:00:77:10");
  await sleeper("two", "--network", "lan", "--network-alias", "second");
  const links = await daemon.ok(["exec", "one", "ip", "addr"]);
  assert.match(links, /eth0@if\d+: .*\n +link\/ether 02:42:00:00:77:10 .*\n +inet 10\.77\.0\.10\/24/);
  assert.match(await daemon.ok(["exec", "one", "ip", "route"]), /default via 10\.77\.0\.254 dev eth0/);
  await daemon.ok(["exec", "one", "ping", "-c", "1", "-W", "1", "second"]);
  await daemon.ok(["exec", "two", "ping", "-c", "1", "-W", "1", "one"]);

  await daemon.ok(["rename", "two", "zwei"]);
  assert.match(await hosts("one"), /\tzwei second /);
  await daemon.ok(["network", "disconnect", "lan", "zwei"]);
  assert.doesNotMatch(await hosts("one"), /zwei/);
  assert.doesNotMatch(await daemon.ok(["exec", "zwei", "ip", "addr"]), /eth0/);
  await daemon.ok(["network", "connect", "--ip", "10.77.0.99", "lan", "zwei"]);
  await daemon.ok(["exec", "one", "ping", "-c", "1", "-W", "1", "10.77.0.99"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  await daemon.ok(["exec", "one", "ping", "-c", "1", "-W", "1", "zwei"]);
  await daemon.ok(["rm", "-f", "zwei"]);
  assert.doesNotMatch(await hosts("one"), /zwei/);

  const second = await daemon.docker([
    ...["network", "create", "-d", "macvlan", "-o", `parent=${parent}`, "--subnet", "10.78.0.0/24", "other"],
  ]);
  assert.match(second.stderr, new RegExp(`is already using parent interface ${parent}`));
  await daemon.ok(["rm", "-f", "one"]);
  await daemon.ok(["network", "rm", "lan"]);
});

test("what cannot be is refused in dockerd's words, and nothing is left", async () => {
  const cases: [string[], RegExp][] = [
    [["-d", "macvlan", "-o", "parent=lo"], /loopback interface is not a valid macvlan parent link/],
    [
      ["-d", "macvlan", "-o", "parent=nothing"],
      /invalid subinterface vlan name nothing, example formatting is eth0\.10/,
    ],
    [["-d", "macvlan", "-o", `parent=${parent}.9999`], /vlan id must be between 1-4094, received: 9999/],
    [
      ["-d", "macvlan", "-o", `parent=${parent}`, "-o", "macvlan_mode=odd"],
      /requested macvlan mode 'odd' is not valid, 'bridge' mode is the macvlan driver default/,
    ],
    [
      ["-d", "ipvlan", "-o", `parent=${parent}`, "-o", "ipvlan_mode=odd"],
      /requested ipvlan mode 'odd' is not valid, 'l2' mode is the ipvlan driver default/,
    ],
  ];
  for (const [flags, wanted] of cases) {
    const { code, stderr } = await daemon.docker(["network", "create", ...flags, "x"]);
    assert.notEqual(code, 0);
    assert.match(stderr, wanted);
  }
  assert.equal(await daemon.ok(["network", "ls", "-q", "--filter", "type=custom"]), "");
});

/** Whether the kernel makes links of a kind; it is removed again. */
async function kernelHas(...kind: string[]): Promise<boolean> {
  const name = `bt${process.pid}k`;
  const { code } = await run("ip", ["link", "add", name, ...kind]);
  if (code === 0) await ip("link", "del", name);
  return code === 0;
}

test("an ipvlan runs, or says that the kernel has none", async () => {
  const has = await kernelHas("link", parent, "type", "ipvlan");
  await daemon.ok([
    "network",
    "create",
    "-d",
    "ipvlan",
    "-o",
    `parent=${parent}`,
    "--subnet",
    "10.79.0.0/24",
    "lan",
  ]);
  const { code, stdout, stderr } = await daemon.docker([
    "run",
    "--rm",
    "--network",
    "lan",
    "busybox",
    "ip",
    "addr",
  ]);
  if (has) assert.match(stdout, /inet 10\.79\.0\.2\/24/);
  else {
    assert.equal(code, 125);
    assert.match(
      stderr,
      /network lan: failed to create the ipvlan port: operation not supported by this kernel/,
    );
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
  await daemon.ok(["network", "rm", "lan"]);
});

test("a network without a parent has a link of its own, or says that the kernel has none", async () => {
  const has = await kernelHas("type", "dummy");
  const made = await daemon.docker(["network", "create", "-d", "macvlan", "alone"]);
  if (!has) {
    assert.match(made.stderr, /a macvlan without a parent needs a dummy link, which this kernel refused/);
    return;
  }
  assert.equal(await daemon.ok(["network", "inspect", "-f", "{{.Internal}}", "alone"]), "true");
  await sleeper("one", "--network", "alone");
  await daemon.ok(["run", "--rm", "--network", "alone", "busybox", "ping", "-c", "1", "-W", "1", "one"]);
  await daemon.ok(["rm", "-f", "one"]);
  await daemon.ok(["network", "rm", "alone"]);
});
