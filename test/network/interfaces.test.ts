// What links are called inside containers, and how the kernel is told to treat them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("interfaces");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const NAME = "com.docker.network.endpoint.ifname";
const SYSCTLS = "com.docker.network.endpoint.sysctls";
const links = async (container: string): Promise<string[]> =>
  (await daemon.ok(["exec", container, "ls", "/sys/class/net"])).split(/\s+/);
const setting = (container: string, path: string): Promise<string> =>
  daemon.ok(["exec", container, "cat", `/proc/sys/${path}`]);

test("links are called as the network or the container says, and stay so over a disconnect and a restart", async () => {
  const prefix = "com.docker.network.container_iface_prefix=lan";
  await daemon.ok(["network", "create", "-o", prefix, "alpha"]);
  await daemon.ok(["network", "create", "beta"]);
  await daemon.ok(["network", "create", "gamma"]);
  const named = `name=gamma,driver-opt=${NAME}=uplink`;
  const networks = ["--network", "alpha", "--network", "beta", "--network", named];
  await daemon.ok(["run", "-d", "--name", "web", ...networks, "busybox", "sleep", "1000"]);
  assert.deepEqual(await links("web"), ["eth0", "lan0", "lo", "uplink"]);
  await daemon.ok(["network", "disconnect", "gamma", "web"]);
  assert.deepEqual(await links("web"), ["eth0", "lan0", "lo"]);
  await daemon.ok(["network", "connect", "--driver-opt", `${NAME}=later`, "gamma", "web"]);
  assert.deepEqual(await links("web"), ["eth0", "lan0", "later", "lo"]);
  await daemon.down("SIGKILL");
  await daemon.up();
  await daemon.ok(["network", "disconnect", "alpha", "web"]);
  assert.deepEqual(await links("web"), ["eth0", "later", "lo"]);
  await daemon.ok(["restart", "-t", "0", "web"]);
  assert.deepEqual(await links("web"), ["eth0", "later", "lo"]);
  assert.equal((await daemon.docker(["exec", "web", "ping", "-c1", "-W2", "web"])).code, 0);
  await daemon.ok(["rm", "-f", "web"]);
});

test("the kernel's switches of a link", async () => {
  const wanted = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.arp_ignore=2";
  const first = `"name=alpha","driver-opt=${SYSCTLS}=${wanted}"`;
  await daemon.ok(["run", "-d", "--name", "web", "--network", first, "busybox", "sleep", "1000"]);
  assert.equal(await setting("web", "net/ipv4/conf/lan0/log_martians"), "1");
  assert.equal(await setting("web", "net/ipv4/conf/lan0/arp_ignore"), "2");
  const later = `${SYSCTLS}=net.ipv4.conf.IFNAME.log_martians=1`;
  await daemon.ok(["network", "connect", "--driver-opt", later, "beta", "web"]);
  assert.equal(await setting("web", "net/ipv4/conf/eth0/log_martians"), "1");
  await daemon.ok(["rm", "-f", "web"]);
});

test("what cannot be is refused, and nothing is left", async () => {
  const create = async (network: string): Promise<string> => {
    const { code, stderr } = await daemon.docker(["run", "-d", "--network", network, "busybox", "true"]);
    assert.notEqual(code, 0);
    return stderr;
  };
  for (const name of ["sixteen-letters-", "a/b", "lo"])
    assert.match(await create(`name=alpha,driver-opt=${NAME}=${name}`), /invalid interface name/);
  const whole = `name=alpha,driver-opt=${SYSCTLS}=net.ipv4.conf.eth0.log_martians=1`;
  assert.match(
    await create(whole),
    /unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'/,
  );
  const unknown = `name=alpha,driver-opt=${SYSCTLS}=net.ipv4.conf.IFNAME.nothing=1`;
  assert.match(await create(unknown), /no such file or directory .*nothing/);
  const prefix = "com.docker.network.container_iface_prefix=thirteen-more";
  const { stderr } = await daemon.docker(["network", "create", "-o", prefix, "delta"]);
  assert.match(stderr, /invalid com.docker.network.container_iface_prefix/);
  const same = ["alpha", "beta"].flatMap((name) => ["--network", `name=${name},driver-opt=${NAME}=one`]);
  const twice = await daemon.docker(["run", "-d", ...same, "busybox", "true"]);
  assert.match(twice.stderr, /interface name one is already in use/);
  await daemon.ok(["rm", ...(await daemon.ok(["ps", "-aq"])).split("\n").filter(Boolean)]);
  await daemon.ok(["network", "rm", "alpha", "beta", "gamma"]);
});
