// Networks whose containers are reached at their own addresses, seen from a host beside this one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { run, TestDaemon, until } from "../support/daemon.ts";

const SIX = "fd5e:1234:5678:7777";
const BESIDE = "fd5e:1234:5678:8888";
const outside = `bt-${process.pid}`;
const [near, far] = [`bta${process.pid}`, `btb${process.pid}`];
let daemon: TestDaemon;

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await run("ip", args);
  assert.equal(code, 0, `ip ${args.join(" ")}: ${stderr}`);
}
const beside = (...args: string[]) => run("ip", ["netns", "exec", outside, ...args]);

before(async () => {
  daemon = await TestDaemon.start("routed");
  await ip("netns", "add", outside);
  await ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", outside);
  await ip("addr", "add", "10.246.0.1/24", "dev", near);
  await ip("-6", "addr", "add", `${BESIDE}::1/64`, "dev", near, "nodad");
  await ip("link", "set", near, "up");
  const inside = ["-n", outside];
  await ip(...inside, "link", "set", "lo", "up");
  await ip(...inside, "link", "set", far, "up");
  await ip(...inside, "addr", "add", "10.246.0.2/24", "dev", far);
  await ip(...inside, "-6", "addr", "add", `${BESIDE}::2/64`, "dev", far, "nodad");
  for (const subnet of ["10.245.1.0/24", "10.245.2.0/24", "10.245.3.0/24"])
    await ip(...inside, "route", "add", subnet, "via", "10.246.0.1");
  await ip(...inside, "-6", "route", "add", `${SIX}::/64`, "via", `${BESIDE}::1`);
});
after(async () => {
  await daemon.end();
  await run("ip", ["link", "del", near]);
  await run("ip", ["netns", "del", outside]);
  assert.deepEqual(daemon.leftovers(), []);
});

const mode = (version: 4 | 6, value: string): string[] => [
  "-o",
  `com.docker.network.bridge.gateway_mode_ipv${version}=${value}`,
];
const serve = "mkdir /www; echo here > /www/index.html; httpd -p 80 -h /www; exec httpd -f -p 81 -h /www";
const reached = async (address: string, port: number): Promise<boolean> =>
  (await beside("timeout", "1", "busybox", "wget", "-q", "-O", "-", `http://${address}:${port}/`)).stdout ===
  "here\n";
const pinged = async (address: string): Promise<boolean> =>
  (await beside("busybox", "ping", "-c1", "-W1", address)).code === 0;

async function server(name: string, network: string, ...flags: string[]): Promise<void> {
  await daemon.ok([
    "run",
    "-d",
    "--name",
    name,
    "--network",
    network,
    ...flags,
    "busybox",
    "sh",
    "-c",
    serve,
  ]);
  const here = ["exec", name, "wget", "-q", "-O", "-", "http://127.0.0.1:81/"];
  await until(`${name} serves`, async () => (await daemon.docker(here)).code === 0);
}

/** The address of a container as a server beside this host sees it. */
async function seenFrom(container: string, version: 4 | 6): Promise<string> {
  const family = version === 4 ? "10.246.0.2" : `${BESIDE}::2`;
  const script =
    "const s = require('node:net').createServer((c) => { console.log(c.remoteAddress); c.destroy(); s.close(); });" +
    `s.listen(8899, '${family}');`;
  const seen = beside(process.execPath, "-e", script);
  const there = version === 4 ? family : `[${family}]`;
  await until("a connection arrives", async () => {
    await daemon.docker([
      "exec",
      container,
      "timeout",
      "1",
      "wget",
      "-q",
      "-O",
      "-",
      `http://${there}:8899/`,
    ]);
    return Promise.race([seen.then(() => true), new Promise<boolean>((done) => setTimeout(done, 50, false))]);
  });
  return (await seen).stdout.trim();
}

test("routed: published ports at the container's own address, which it has outside too", async () => {
  const six = ["--ipv6", "--subnet", `${SIX}::/64`];
  await daemon.ok([
    "network",
    "create",
    ...six,
    "--subnet",
    "10.245.1.0/24",
    ...mode(4, "routed"),
    ...mode(6, "routed"),
    "open",
  ]);
  await server("web", "open", "--ip", "10.245.1.9", "--ip6", `${SIX}::9`, "-p", "28500:80");
  for (const address of ["10.245.1.9", `[${SIX}::9]`]) {
    // The link beside takes a moment to know that nobody else has its address.
    await until(`${address} answers`, () => reached(address, 80));
    assert.ok(!(await reached(address, 81)), address);
  }
  assert.ok(await pinged("10.245.1.9"));
  assert.ok(await pinged(`${SIX}::9`));
  assert.equal(await seenFrom("web", 4), "10.245.1.9");
  assert.equal(await seenFrom("web", 6), `${SIX}::9`);
  await daemon.down("SIGKILL");
  await daemon.up();
  await until("it answers", () => reached("10.245.1.9", 80));
  assert.ok(!(await reached("10.245.1.9", 81)));
  await daemon.ok(["rm", "-f", "web"]);
  await daemon.ok(["network", "rm", "open"]);
});

test("a mode of its own for each family; unprotected lets in to all ports", async () => {
  const six = ["--ipv6", "--subnet", `${SIX}::/64`];
  await daemon.ok(["network", "create", ...six, "--subnet", "10.245.2.0/24", ...mode(6, "routed"), "half"]);
  await server("web", "half", "--ip", "10.245.2.9", "--ip6", `${SIX}::9`, "-p", "28501:80");
  assert.ok(!(await reached("10.245.2.9", 80)));
  assert.ok(!(await pinged("10.245.2.9")));
  await until("it answers", () => reached(`[${SIX}::9]`, 80));
  assert.ok(!(await reached(`[${SIX}::9]`, 81)));
  assert.equal(await seenFrom("web", 4), "10.246.0.1");
  assert.equal(await seenFrom("web", 6), `${SIX}::9`);
  await daemon.ok(["network", "create", "--subnet", "10.245.3.0/24", ...mode(4, "nat-unprotected"), "bare"]);
  await server("all", "bare", "--ip", "10.245.3.9");
  assert.ok(await reached("10.245.3.9", 80));
  assert.ok(await reached("10.245.3.9", 81));
  assert.equal(await seenFrom("all", 4), "10.246.0.1");
  await daemon.ok(["rm", "-f", "web", "all"]);
  await daemon.ok(["network", "rm", "half", "bare"]);
});

test("what leaves has the address of the host's that the network says", async () => {
  await ip("addr", "add", "10.246.0.77/24", "dev", near);
  await ip("-6", "addr", "add", `${BESIDE}::77/64`, "dev", near, "nodad");
  const source = (version: 4 | 6, address: string) => [
    "-o",
    `com.docker.network.host_ipv${version}=${address}`,
  ];
  const six = ["--ipv6", "--subnet", `${SIX}::/64`, ...source(6, `${BESIDE}::77`)];
  await daemon.ok([
    "network",
    "create",
    ...six,
    "--subnet",
    "10.245.1.0/24",
    ...source(4, "10.246.0.77"),
    "said",
  ]);
  await daemon.ok(["run", "-d", "--name", "asks", "--network", "said", "busybox", "sleep", "1000"]);
  assert.equal(await seenFrom("asks", 4), "10.246.0.77");
  assert.equal(await seenFrom("asks", 6), `${BESIDE}::77`);
  await daemon.ok(["rm", "-f", "asks"]);
  await daemon.ok(["network", "rm", "said"]);
  const refused = await daemon.docker(["network", "create", ...source(4, "::1"), "x"]);
  assert.match(refused.stderr, /failed to parse com.docker.network.host_ipv4 value: "::1"/);
});

test("modes that there are not are refused", async () => {
  for (const [version, value, text] of [
    [4, "isolated", /gateway mode isolated: .*--internal/],
    [6, "nonsense", /unknown gateway mode nonsense/],
  ] as const)
    assert.match((await daemon.docker(["network", "create", ...mode(version, value), "x"])).stderr, text);
  const inhibit = "com.docker.network.bridge.inhibit_ipv4=true";
  assert.match(
    (await daemon.docker(["network", "create", "-o", inhibit, "x"])).stderr,
    /has its address always/,
  );
});
