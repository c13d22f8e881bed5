// Links on the default bridge, the host's network, shared networks, and where subnets come from.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("links");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

test("a link gives names and variables, follows a rename and a restart, and can be removed", async () => {
  const db = [
    "--name",
    "db",
    "-e",
    "USER=me",
    "--expose",
    "5432-5434",
    "--expose",
    "53/udp",
    "--hostname",
    "vault",
  ];
  await daemon.ok(["run", "-d", ...db, "busybox", "sleep", "1000"]);
  await daemon.ok(["run", "-d", "--name", "web", "--link", "db:data-base", "busybox", "sleep", "1000"]);
  const address = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "db"]);
  const variables = (await daemon.ok(["exec", "web", "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"])).split(
    "\n",
  );
  for (const wanted of [
    `DATA_BASE_PORT=udp://${address}:53`,
    `DATA_BASE_PORT_53_UDP_PROTO=udp`,
    `DATA_BASE_PORT_5432_TCP_START=tcp://${address}:5432`,
    `DATA_BASE_PORT_5432_TCP_PORT_END=5434`,
    `DATA_BASE_PORT_5433_TCP_ADDR=${address}`,
    `DATA_BASE_NAME=/web/data-base`,
    `DATA_BASE_ENV_USER=me`,
  ])
    assert.ok(variables.includes(wanted), wanted);
  assert.ok(!variables.some((variable) => variable.startsWith("DATA_BASE_ENV_PATH")));
  const hosts = (): Promise<string> => daemon.ok(["exec", "web", "cat", "/etc/hosts"]);
  assert.match(await hosts(), new RegExp(`^${address}\tdata-base vault db$`, "m"));
  await daemon.ok(["exec", "web", "ping", "-c", "1", "-W", "1", "data-base"]);

  await daemon.ok(["rename", "db", "store"]);
  assert.equal(await daemon.ok(["inspect", "-f", "{{.HostConfig.Links}}", "web"]), "[/store:/web/data-base]");
  assert.equal(
    await daemon.ok(["ps", "--no-trunc", "--filter", "name=store", "--format", "{{.Names}}"]),
    "store,web/data-base",
  );
  // Somebody else takes its old address.
  await daemon.ok(["stop", "-t", "0", "store"]);
  for (const name of ["a1", "a2"]) await daemon.ok(["run", "-d", "--name", name, "busybox", "sleep", "1000"]);
  await daemon.ok(["start", "store"]);
  const later = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "store"]);
  assert.match(await hosts(), new RegExp(`^${later}\tdata-base vault store$`, "m"));
  await daemon.ok(["rm", "--link", "web/data-base"]);
  assert.equal(await daemon.ok(["inspect", "-f", "{{.HostConfig.Links}}", "web"]), "[]");
  await daemon.ok(["rm", "-f", "web", "store", "a1", "a2"]);
});

test("links that lead nowhere are refused in dockerd's words", async () => {
  const nobody = await daemon.docker(["run", "--rm", "--link", "nobody:x", "busybox", "true"]);
  assert.match(nobody.stderr, /could not get container for nobody: No such container: nobody/);
  await daemon.ok(["create", "--name", "still", "busybox", "true"]);
  const stopped = await daemon.docker([
    "run",
    "--rm",
    "--name",
    "web",
    "--link",
    "still:x",
    "busybox",
    "true",
  ]);
  assert.match(stopped.stderr, /Cannot link to a non running container: \/still AS \/web\/x/);
  await daemon.ok(["network", "create", "away"]);
  await daemon.ok(["run", "-d", "--name", "other", "--network", "away", "busybox", "sleep", "1000"]);
  const apart = await daemon.docker(["run", "--rm", "--link", "other:x", "busybox", "true"]);
  assert.match(apart.stderr, /not attached to default bridge network/);
  await daemon.ok(["rm", "-f", "still", "other"]);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
  await daemon.ok(["network", "rm", "away"]);
});

test("who shares a container's network has its name and its addresses", async () => {
  await daemon.ok(["run", "-d", "--name", "first", "--hostname", "pod", "busybox", "sleep", "1000"]);
  const shared = await daemon.ok([
    ...["run", "--rm", "--network", "container:first", "busybox"],
    ...["sh", "-c", "hostname; ip -4 -o addr; cat /etc/hosts; ping -c 1 -W 1 pod"],
  ]);
  const address = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "first"]);
  assert.match(shared, new RegExp(`^pod\n[^]*inet ${address}/[^]*${address}\tpod[^]*1 packets received`));
  await daemon.ok(["rm", "-f", "first"]);
});

test("host-gateway is an address at which the host answers, in every kind of network", async () => {
  await daemon.ok(["network", "create", "own"]);
  for (const network of ["bridge", "own"]) {
    const flags = ["--network", network, "--add-host", "outside:host-gateway", "--add-host", "six=[fd00::9]"];
    const hosts = await daemon.ok([
      "run",
      "--rm",
      ...flags,
      "busybox",
      "sh",
      "-c",
      "cat /etc/hosts; ping -c 1 -W 1 outside",
    ]);
    assert.match(hosts, /^fd00::9\tsix$/m);
    assert.match(hosts, /1 packets received/);
  }
  const host = ["run", "--rm", "--network", "host", "--add-host", "near:127.0.0.9", "busybox"];
  assert.match(await daemon.ok([...host, "cat", "/etc/hosts"]), /^127\.0\.0\.9\tnear$/m);
  await daemon.ok(["network", "rm", "own"]);
});

test("subnets come from the daemon's pools", async () => {
  const pooled = new TestDaemon("pools");
  await pooled.up(
    "--default-address-pool",
    "base=10.216.0.0/16,size=24",
    "--default-address-pool",
    "base=fd00:213::/56,size=64",
  );
  await pooled.ok(["network", "create", "--ipv6", "one"]);
  const subnets = await pooled.ok([
    "network",
    "inspect",
    "-f",
    "{{range .IPAM.Config}}{{.Subnet}} {{end}}",
    "one",
  ]);
  assert.match(subnets, /^10\.216\.\d+\.0\/24 fd00:213:(0:)?\S*\/64/);
  await pooled.ok(["network", "rm", "one"]);
  await pooled.end();
  assert.deepEqual(pooled.leftovers(), []);
  const wrong = new TestDaemon("pools");
  await assert.rejects(
    wrong.up("--default-address-pool", "base=10.0.0.0/8,size=4"),
    /invalid default address pool/,
  );
  rmSync(wrong.directory, { recursive: true });
});
