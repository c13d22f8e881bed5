// Names and isolation of networks with the real docker CLI.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { call } from "../files/support.ts";
import { run, TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("names");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const sleeper = (name: string, ...flags: string[]): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, ...flags, "busybox", "sleep", "1000"]);

/** The addresses that a container finds for a name; none when there is no such name. */
async function resolve(container: string, name: string): Promise<string[]> {
  const { stdout } = await daemon.docker(["exec", container, "nslookup", name]);
  const answers = stdout.slice(stdout.indexOf("\n\n"));
  return [...answers.matchAll(/^Address(?: \d+)?: (\S+)/gm)].map(([, address = ""]) => address);
}

const addressOf = (container: string, network: string): Promise<string> =>
  daemon.ok(["inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container]);

const pings = async (container: string, address: string): Promise<boolean> =>
  (await daemon.docker(["exec", container, "ping", "-c", "1", "-W", "1", address])).code === 0;

test("containers of a network find each other by name, alias, short id and host name, and by address", async () => {
  await daemon.ok(["network", "create", "shop"]);
  const id = await sleeper("db", "--network", "shop", "--network-alias", "store", "--hostname", "vault");
  await sleeper("web", "--network", "shop");
  const address = await addressOf("db", "shop");
  for (const name of ["db", "store", "vault", id.slice(0, 12), "db.shop", "DB"])
    assert.deepEqual(await resolve("web", name), [address], name);
  assert.deepEqual(await resolve("web", "nobody.invalid"), []);
  assert.ok(await pings("web", "db"));
  const { stdout } = await daemon.docker(["exec", "web", "nslookup", address]);
  assert.match(stdout, /name = db\.shop/);
  assert.match(
    await daemon.ok(["exec", "web", "cat", "/etc/hosts"]),
    new RegExp(`${await addressOf("web", "shop")}\t`),
  );
  await daemon.ok(["rename", "db", "ledger"]);
  assert.deepEqual(await resolve("web", "ledger"), [address]);
  assert.deepEqual(await resolve("web", "db"), []);
  await daemon.ok(["rm", "-f", "ledger"]);
  assert.deepEqual(await resolve("web", "store"), []);
  await daemon.ok(["rm", "-f", "web"]);
});

test("an alias of several has all their addresses, the first in turn", async () => {
  for (const name of ["one", "two", "three"])
    await sleeper(name, "--network", "shop", "--network-alias", "workers");
  const firsts = new Set<string>();
  for (let ask = 0; ask < 6; ask++) {
    const found = await resolve("one", "workers");
    assert.equal(new Set(found).size, 3);
    firsts.add(found[0] ?? "");
  }
  assert.ok(firsts.size > 1);
  await daemon.ok(["rm", "-f", "one", "two", "three"]);
});

test("127.0.0.11 is the name server, by UDP and TCP, and no way to what others have on their loopback", async () => {
  await daemon.ok(["network", "create", "near"]);
  const web = "mkdir /www; echo own > /www/index.html; exec httpd -f -p 127.0.0.1:80 -h /www";
  await daemon.ok(["run", "-d", "--name", "victim", "--network", "near", "busybox", "sh", "-c", web]);
  await sleeper("prober", "--network", "near", "--cap-add", "NET_ADMIN");
  assert.match(await daemon.ok(["exec", "prober", "cat", "/etc/resolv.conf"]), /^nameserver 127\.0\.0\.11$/m);
  const asked = await daemon.ok(["exec", "prober", "nslookup", "victim", "127.0.0.11"]);
  assert.ok(asked.includes(await addressOf("victim", "near")));
  await daemon.ok(["exec", "prober", "nc", "-w", "1", "127.0.0.11", "53"], { input: "" });
  const get = ["exec", "victim", "wget", "-q", "-O", "-", "http://127.0.0.1/"];
  await until("the victim serves itself", async () => (await daemon.docker(get)).stdout === "own\n");

  // The prober has its own loopback addresses elsewhere and asks for its neighbour's.
  const address = await addressOf("victim", "near");
  const move = [
    "ip route del table local 127.0.0.0/8 dev lo",
    "ip route del table local 127.0.0.1 dev lo",
    `ip route add 127.0.0.1/32 via ${address} dev eth0 src ${await addressOf("prober", "near")}`,
    "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 127.0.0.1 80",
  ];
  const stolen = await daemon.docker(["exec", "prober", "sh", "-c", move.join("; ")]);
  assert.doesNotMatch(stolen.stdout + stolen.stderr, /own|not permitted/);
  await daemon.ok(["rm", "-f", "victim", "prober"]);
  await daemon.ok(["network", "rm", "near"]);
});

test("names are known again after the daemon was killed", async () => {
  await sleeper("db", "--network", "shop");
  await sleeper("web", "--network", "shop");
  const address = await addressOf("db", "shop");
  await daemon.down("SIGKILL");
  await daemon.up();
  assert.deepEqual(await resolve("web", "db"), [address]);
  assert.ok(await pings("web", "db"));
  await daemon.ok(["rm", "-f", "db", "web"]);
});

test("connect and disconnect of running containers, with address and alias", async () => {
  await daemon.ok(["network", "create", "--subnet", "10.123.45.0/24", "back"]);
  await sleeper("db", "--network", "back");
  await sleeper("web");
  assert.deepEqual(await resolve("web", "db"), []);
  await daemon.ok(["network", "connect", "--ip", "10.123.45.77", "--alias", "front", "back", "web"]);
  assert.equal(await addressOf("web", "back"), "10.123.45.77");
  assert.deepEqual(await resolve("db", "front"), ["10.123.45.77"]);
  assert.ok(await pings("web", "db"));
  const twice = await daemon.docker(["network", "connect", "back", "web"]);
  assert.match(twice.stderr, /endpoint with name web already exists in network back/);
  const members = await daemon.ok([
    "network",
    "inspect",
    "-f",
    "{{range .Containers}}{{.Name}} {{end}}",
    "back",
  ]);
  assert.deepEqual(members.trim().split(" ").sort(), ["db", "web"]);
  const inUse = await daemon.docker(["network", "rm", "back"]);
  assert.match(inUse.stderr, /network back has active endpoints/);
  const drawing = await daemon.berth(["network", "inspect", "--tree", "back"]);
  assert.match(drawing.stdout, /├─ db .*\n└─ web +10\.123\.45\.77 .*also in bridge/);
  await daemon.ok(["network", "disconnect", "back", "web"]);
  assert.deepEqual(await resolve("db", "front"), []);
  assert.ok(!(await daemon.ok(["exec", "web", "ip", "addr"])).includes("10.123.45.77"));
  // Without its only network a container still has a way back in.
  await daemon.ok(["network", "disconnect", "bridge", "web"]);
  await daemon.ok(["network", "connect", "back", "web"]);
  assert.ok(await pings("web", "db"));
  await daemon.ok(["restart", "-t", "0", "web"]);
  assert.ok(await pings("web", "db"));
  // Of two networks that have a name the first answers.
  for (const name of ["db", "web"]) await daemon.ok(["network", "connect", "shop", name]);
  assert.deepEqual(await resolve("web", "db"), [await addressOf("db", "back")]);
  await daemon.ok(["network", "disconnect", "shop", "db"]);
  await daemon.ok(["network", "disconnect", "shop", "web"]);
  await daemon.ok(["rm", "-f", "db", "web"]);
  await daemon.ok(["network", "rm", "back"]);
});

test("networks do not reach each other; internal ones have no way out; icc=false keeps containers apart", async () => {
  await daemon.ok(["network", "create", "left"]);
  await daemon.ok(["network", "create", "--internal", "right"]);
  await daemon.ok(["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart"]);
  await sleeper("li", "--network", "left");
  await sleeper("ri", "--network", "right");
  await sleeper("r2", "--network", "right");
  for (const name of ["a1", "a2"]) await sleeper(name, "--network", "apart");
  const left = await addressOf("li", "left");
  const right = await addressOf("ri", "right");
  assert.ok(!(await pings("li", right)));
  assert.ok(!(await pings("ri", left)));
  assert.ok(await pings("r2", right));
  assert.ok(!(await daemon.ok(["exec", "ri", "ip", "route"])).includes("default"));
  assert.ok(!(await pings("a1", await addressOf("a2", "apart"))));
  const gateway = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.Networks.apart.Gateway}}", "a1"]);
  assert.ok(await pings("a1", gateway));
  await daemon.ok(["rm", "-f", "li", "ri", "r2", "a1", "a2"]);
  await daemon.ok(["network", "rm", "left", "right", "apart"]);
});

test("a container cannot take another's address", async () => {
  await sleeper("victim", "--network", "shop");
  await sleeper("thief", "--network", "shop", "--cap-add", "NET_ADMIN");
  const address = await addressOf("victim", "shop");
  const own = await addressOf("thief", "shop");
  await sleeper("other", "--network", "shop");
  assert.ok(await pings("thief", await addressOf("other", "shop")));
  await daemon.ok(["rm", "-f", "victim"]);
  await daemon.ok(["exec", "thief", "ip", "addr", "add", `${address}/16`, "dev", "eth0"]);
  await daemon.ok(["exec", "thief", "ip", "addr", "del", `${own}/16`, "dev", "eth0"]);
  assert.ok(!(await pings("thief", await addressOf("other", "shop"))));
  assert.ok(!(await pings("other", address)));
  await daemon.ok(["rm", "-f", "thief", "other"]);
});

test("IPv6 beside IPv4", async () => {
  await daemon.ok(["network", "create", "--ipv6", "--subnet", "fd12:3456:789a::/64", "both"]);
  await sleeper("six", "--network", "both", "--ip6", "fd12:3456:789a::66");
  await sleeper("peer", "--network", "both");
  assert.deepEqual(
    (await resolve("peer", "six")).sort(),
    [await addressOf("six", "both"), "fd12:3456:789a::66"].sort(),
  );
  await until("IPv6 answers", () => pings("peer", "fd12:3456:789a::66"));
  await daemon.ok(["rm", "-f", "six", "peer"]);
  await daemon.ok(["network", "rm", "both"]);
});

test("what cannot be is refused in dockerd's words", async () => {
  await daemon.ok(["network", "create", "--subnet", "10.99.0.0/24", "base"]);
  const bind = "com.docker.network.bridge.host_binding_ipv4";
  const cases: [string[], RegExp][] = [
    [["network", "create", "base"], /network with name base already exists/],
    [
      ["network", "create", "--subnet", "10.99.0.0/25", "x"],
      /Pool overlaps with other one on this address space/,
    ],
    [
      ["network", "create", "--subnet", "10.98.0.1/24", "x"],
      /invalid subnet 10\.98\.0\.1\/24: it should be 10\.98\.0\.0\/24/,
    ],
    [["network", "create", "-d", "nonsense", "x"], /plugin "nonsense" not found/],
    [["network", "create", "bridge"], /operation is not permitted on predefined bridge network/],
    [
      ["network", "create", "-o", "com.docker.network.bridge.name=lo", "x"],
      /existing interface lo is not a bridge/,
    ],
    ...[
      ["--gateway=10.98.0.0", "failed to allocate gateway (10.98.0.0): Address already in use"],
      ["--gateway=10.98.0.255", "failed to allocate gateway (10.98.0.255): Address already in use"],
      ["--aux-address=a=10.98.0.1", "secondary ip address (a:10.98.0.1): Address already in use"],
      [`--opt=${bind}=nonsense`, `failed to parse ${bind} value: "nonsense" (nil ip)`],
    ].map(([flag = "", text = ""]): [string[], RegExp] => [
      ["network", "create", "--subnet", "10.98.0.0/24", flag, "x"],
      new RegExp(text.replace(/[()]/g, "\\$&")),
    ]),
    ...["10.98.0.0/31", "10.98.0.0/32"].map((subnet): [string[], RegExp] => [
      ["network", "create", "--subnet", subnet, "x"],
      /failed to allocate gateway \(\): No available addresses on this pool/,
    ]),
    [["network", "rm", "bridge"], /bridge is a pre-defined network and cannot be removed/],
    [["network", "rm", "nothing"], /network nothing not found/],
    [["run", "--rm", "--network", "nothing", "busybox", "true"], /network nothing not found/],
    [
      ["run", "--rm", "--network", "base", "--ip", "10.98.0.9", "busybox", "true"],
      /no configured subnet contains IP address 10\.98\.0\.9/,
    ],
    [
      ["run", "--rm", "--ip", "10.99.0.9", "busybox", "true"],
      /user specified IP address is supported on user defined networks only/,
    ],
    [["run", "--rm", "--network", "base", "--ip", "10.99.0.1", "busybox", "true"], /Address already in use/],
  ];
  for (const [args, wanted] of cases) {
    const { code, stderr } = await daemon.docker(args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, wanted);
  }
  assert.equal(
    await daemon.ok(["network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"]),
    "base\nshop",
  );
  await daemon.ok(["network", "prune", "-f"]);
  assert.equal(await daemon.ok(["network", "ls", "-q", "--filter", "type=custom"]), "");
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("link-local addresses beside the network's own", async () => {
  await daemon.ok(["network", "create", "local"]);
  const flags = ["--link-local-ip", "169.254.7.7", "--link-local-ip", "fe80::77"];
  await sleeper("far", "--network", "local", ...flags);
  await sleeper("near", "--network", "local");
  await daemon.ok(["network", "disconnect", "local", "near"]);
  await daemon.ok(["network", "connect", "--link-local-ip", "169.254.9.9", "local", "near"]);
  const inside = await daemon.ok(["exec", "far", "ip", "-o", "addr", "show", "dev", "eth0"]);
  assert.match(inside, /inet 169\.254\.7\.7\/16/);
  assert.match(inside, /inet6 fe80::77\/64/);
  const told = await daemon.ok([
    "inspect",
    "-f",
    "{{.NetworkSettings.Networks.local.IPAMConfig.LinkLocalIPs}}",
    "far",
  ]);
  assert.equal(told, "[169.254.7.7 fe80::77]");
  assert.ok(await pings("near", "169.254.7.7"));
  assert.ok(await pings("near", await addressOf("far", "local")));
  const wrong = await daemon.docker([
    "run",
    "--network",
    "local",
    "--link-local-ip",
    "10.1.1.1",
    "busybox",
    "true",
  ]);
  assert.match(wrong.stderr, /invalid link-local IP address: 10\.1\.1\.1/);
  await daemon.ok(["rm", "-f", "far", "near"]);
  await daemon.ok(["network", "rm", "local"]);
});

test("a hardware address that an old client gave a container stays when it is taken out and put in again", async () => {
  await daemon.ok(["network", "create", "fixed"]);
  const mac = "02:42:0a:42:00:99";
  const api = async (path: string, body?: object): Promise<string> => {
    const sent = body ? ["-H", "Content-Type: application/json", "-d", JSON.stringify(body)] : [];
    // Without a version the newest: so compose 1.29 speaks.
    const url = `http://localhost${path}`;
    const { code, stdout } = await run("curl", ["-sS", "--unix-socket", daemon.socket, ...sent, url]);
    assert.equal(code, 0);
    return stdout;
  };
  const HostConfig = { NetworkMode: "fixed" };
  await api("/containers/create?name=known", {
    Image: "busybox",
    Cmd: ["sleep", "1000"],
    MacAddress: mac,
    HostConfig,
  });
  assert.equal(JSON.parse(await api("/containers/known/json")).Config.MacAddress, mac);
  const inside = (): Promise<string> => daemon.ok(["exec", "known", "cat", "/sys/class/net/eth0/address"]);
  for (const stage of ["created", "running"]) {
    await daemon.ok(["network", "disconnect", "fixed", "known"]);
    await daemon.ok(["network", "connect", "--alias", "again", "fixed", "known"]);
    if (stage === "created") await daemon.ok(["start", "known"]);
    assert.equal(await inside(), mac, stage);
  }
  await daemon.ok(["rm", "-f", "known"]);
  await daemon.ok(["network", "rm", "fixed"]);
});

test("a network that is removed while containers come to it is there for all or for none", async () => {
  const tag = daemon.cgroupParent.slice("berth-".length, "berth-".length + 4);
  const bridges = (): string[] =>
    readdirSync("/sys/class/net").filter((name) => name.startsWith(`br-${tag}`));
  const before = bridges();
  const image = ["busybox", "sleep", "1000"];
  await daemon.ok(["run", "-d", "--name", "joins", ...image]);
  for (let round = 0; round < 10; round++) {
    await daemon.ok(["network", "create", "brief"]);
    await daemon.ok(["create", "--name", "starts", "--network", "brief", ...image]);
    const [removed, started, joined, again] = await Promise.all([
      call(daemon.socket, "DELETE", "/networks/brief"),
      call(daemon.socket, "POST", "/containers/starts/start"),
      call(daemon.socket, "POST", "/networks/brief/connect", { Container: "joins" }),
      call(daemon.socket, "DELETE", "/networks/brief"),
    ]);
    const gone = [removed.status, again.status].filter((status) => status === 204).length;
    assert.ok(gone <= 1);
    if (gone === 1) assert.deepEqual([started.status, joined.status], [404, 404]);
    await daemon.ok(["rm", "-f", "starts"]);
    await daemon.docker(["network", "disconnect", "brief", "joins"]);
    await daemon.docker(["network", "rm", "brief"]);
    assert.deepEqual(bridges(), before);
  }
  await daemon.ok(["rm", "-f", "joins"]);
});

test("connect and disconnect of a container that ends at that moment", async () => {
  await daemon.ok(["network", "create", "one"]);
  await daemon.ok(["network", "create", "two"]);
  await sleeper("ends", "--network", "one");
  const verbs = ["connect", "disconnect"].map((verb, at) => [verb, at === 0 ? "two" : "one"] as const);
  for (let round = 0; round < 20; round++) {
    const pid = Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "ends"]));
    const [verb = "", network = ""] = verbs[round % 2] ?? [];
    process.kill(pid, "SIGKILL");
    const { status } = await call(daemon.socket, "POST", `/networks/${network}/${verb}`, {
      Container: "ends",
    });
    assert.equal(status, 200, `${verb} in round ${round}`);
    await daemon.ok(["wait", "ends"]);
    const names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert.equal(await daemon.ok(["inspect", "-f", names, "ends"]), round % 2 === 0 ? "one two" : "two");
    if (round % 2 === 1) {
      await daemon.ok(["network", "connect", "one", "ends"]);
      await daemon.ok(["network", "disconnect", "two", "ends"]);
    }
    await daemon.ok(["start", "ends"]);
  }
  await daemon.ok(["rm", "-f", "ends"]);
  await daemon.ok(["network", "rm", "one", "two"]);
});
