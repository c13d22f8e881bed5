import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon, until } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-faults");
});
after(() => daemon.end());

/** Sends a context; resolves with the answer when it begins. */
function post(body: Buffer, query = ""): { sent: ClientRequest; answer: Promise<IncomingMessage> } {
  const headers = { "Content-Type": "application/x-tar", "Content-Length": body.length };
  const sent = request({
    socketPath: daemon.socket,
    method: "POST",
    path: `/build?${query}`,
    headers,
    agent: false,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on("response", resolve);
    sent.on("error", reject);
  });
  return { sent, answer };
}

async function build(body: Buffer, query?: string): Promise<string> {
  const { sent, answer } = post(body, query);
  sent.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of await answer) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** What there is of builds on the disk, and of secrets and small contexts in memory. */
const halfMade = (): string[] =>
  [join(daemon.dataRoot, "tmp"), join(daemon.execRoot, "build")].flatMap((directory) =>
    existsSync(directory) ? readdirSync(directory) : [],
  );

const nothingLeft = async (): Promise<void> => {
  await until("no container is left", async () => (await daemon.ok(["ps", "-aq"])) === "");
  await until("nothing half-made is left", () => halfMade().length === 0);
};

test("a client that goes away ends its build", async () => {
  const body = tarOf([
    { name: "Dockerfile", data: "FROM busybox\nRUN --mount=type=tmpfs,target=/x sleep 1000\n" },
  ]);
  const { sent, answer } = post(body);
  sent.end(body);
  for await (const chunk of await answer) if (String(chunk).includes("Running in")) break;
  sent.destroy();
  await nothingLeft();
});

test("a client that goes away while it sends leaves nothing", async () => {
  const body = tarOf([
    { name: "Dockerfile", data: "FROM busybox" },
    { name: "big", data: Buffer.alloc(1 << 20) },
  ]);
  const { sent, answer } = post(body);
  answer.catch(() => undefined);
  sent.write(body.subarray(0, body.length / 2));
  await until("it has begun", () => halfMade().length > 0);
  sent.destroy();
  await nothingLeft();
});

test("a client that goes away while servers keep its build waiting", async () => {
  // One that takes connections and says nothing, one that begins a file and never ends it.
  const open = new Set<Socket>();
  const silent = createServer((socket) => {
    open.add(socket.on("error", () => undefined).on("close", () => open.delete(socket)));
    socket.resume();
  });
  const slow = createServer((socket) => {
    open.add(socket.on("error", () => undefined).on("close", () => open.delete(socket)));
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin"));
  });
  const listen = async (server: Server): Promise<string> => {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const [quiet, endless] = [await listen(silent), await listen(slow)];
  try {
    const add = (source: string): Buffer =>
      tarOf([{ name: "Dockerfile", data: `FROM busybox\nADD ${source} /x/\n` }]);
    const none = Buffer.alloc(0);
    const cases: [name: string, body: Buffer, query: string][] = [
      ["a file", add(`http://${quiet}/file`), ""],
      ["the end of a file", add(`http://${endless}/file`), ""],
      ["a repository", add(`git://${quiet}/repo`), ""],
      ["a repository over http", add(`http://${quiet}/repo.git`), ""],
      ["a repository over ssh", add(`ssh://git@${quiet}/repo`), ""],
      ["a context", none, `remote=http://${endless}/context.tar`],
      ["a repository as context", none, `remote=${encodeURIComponent(`git://${quiet}/repo`)}`],
    ];
    for (const [name, body, query] of cases) {
      const { sent, answer } = post(body, query);
      answer.catch(() => undefined);
      sent.end(body);
      await until(`${name} is asked for`, () => open.size > 0);
      sent.destroy();
      await until(`${name} is not waited for any more`, () => open.size === 0);
      await nothingLeft();
    }
  } finally {
    silent.close();
    slow.close();
  }
});

test("a killed daemon leaves nothing half-made and a sound cache", async () => {
  const steps = Array.from({ length: 8 }, (_, index) => `RUN echo ${index} > /${index}; sleep 0.05`);
  const Dockerfile = [
    "FROM busybox AS other",
    "COPY many /many",
    "RUN --mount=type=cache,target=/c,sharing=locked echo x >> /c/kept; find /many -type f | wc -l > /count",
    "FROM busybox",
    "COPY data /data",
    ...steps,
    "COPY --from=other /many /count /many/",
  ].join("\n");
  const many = Object.fromEntries(
    Array.from({ length: 400 }, (_, index): [string, string] => [`many/${index}`, `${index}\n`]),
  );
  const body = tarOf([
    { name: "Dockerfile", data: Dockerfile },
    { name: "data", data: Buffer.alloc(300_000, 7) },
    ...Object.entries(many).map(([name, data]) => ({ name, data })),
  ]);
  for (let round = 0; round < 9; round++) {
    const { sent, answer } = post(body, "t=survivor&nocache=1");
    answer.catch(() => undefined);
    sent.end(body);
    await sleep(40 + round * 90);
    await daemon.down("SIGKILL");
    await daemon.up();
    await nothingLeft();
    assert.deepEqual(daemon.leftovers(), []);
  }
  const files = { Dockerfile, data: Buffer.alloc(300_000, 7), ...many };
  const output = await mustBuild(daemon, files, ["-t", "survivor"]);
  assert.match(output, /Successfully tagged survivor/);
  const seen = await daemon.ok([
    ...["run", "--rm", "survivor", "sh", "-c"],
    "cat /[0-7]; wc -c < /data; cat /many/count; cat /many/[0-9]* | sort -n | uniq | wc -l",
  ]);
  assert.equal(seen, "0\n1\n2\n3\n4\n5\n6\n7\n300000\n400\n400");
});

test("a killed launcher or file worker is replaced; the build goes on or says why not", async () => {
  const Dockerfile = `FROM busybox
COPY many /many
RUN --mount=type=cache,target=/c sleep 0.2; echo x >> /c/x; ls /many | wc -l > /count
COPY many /again
RUN sleep 0.1; ls /again | wc -l >> /count
`;
  const many = Array.from({ length: 1000 }, (_, index): [string, string] => [`many/${index}`, `${index}`]);
  using context = new ContextDirectory({ Dockerfile, ...Object.fromEntries(many) });
  const helper = (name: string): number | undefined => {
    const found = spawnSync("pgrep", ["-P", String(daemon.pid), name], { encoding: "utf8" }).stdout;
    return Number.parseInt(found, 10) || undefined;
  };
  for (let round = 0; round < 8; round++) {
    const building = daemon.berth(["build", "--no-cache", "-t", "helpers", context.path]);
    await sleep(60 + Math.floor(round / 2) * 110);
    const victim = helper(round % 2 === 0 ? "berth-launcher" : "berth-files");
    if (victim !== undefined) process.kill(victim, "SIGKILL");
    const { code, stderr } = await building;
    if (code !== 0) assert.match(stderr, /ended early|the launcher|berth-launcher/);
    await nothingLeft();
  }
  const built = await daemon.berth(["build", "-t", "helpers", context.path]);
  assert.equal(built.code, 0, built.stderr);
  assert.equal(await daemon.ok(["run", "--rm", "helpers", "cat", "/count"]), "1000\n1000");
});

test("contexts that reach out are refused or stay within", async () => {
  const dockerfile = (text: string) => ({ name: "Dockerfile", data: text });
  const outside = await build(tarOf([dockerfile("FROM busybox"), { name: "../../outside", data: "x" }]));
  assert.match(outside, /is outside of/);
  const throughLink = await build(
    tarOf([
      dockerfile("FROM busybox\nCOPY out/passwd /x"),
      { name: "out", type: "symlink", linkname: "/etc" },
      { name: "up", type: "symlink", linkname: "../../../../etc" },
    ]),
  );
  assert.match(throughLink, /stat out\/passwd: file does not exist/);
  const hardLink = await build(
    tarOf([dockerfile("FROM busybox"), { name: "h", type: "link", linkname: "/etc/passwd" }]),
  );
  assert.match(hardLink, /no such file or directory/);
  const notTar = await build(Buffer.alloc(2048, 65));
  assert.match(notTar, /invalid|Error processing tar file/i);
  const dockerfileLink = await build(
    tarOf([{ name: "Dockerfile", type: "symlink", linkname: "/etc/passwd" }]),
  );
  assert.match(dockerfileLink, /Cannot locate specified Dockerfile: Dockerfile/);
  await nothingLeft();
});

test("an image that leads out with links is written within", async () => {
  const Dockerfile = `FROM busybox
RUN ln -s ../../../../../../tmp/berth-build-escape /away && ln -s /proc/1/root /var/tmp/root
COPY a /away/a
WORKDIR /var/tmp/root/made
COPY a .
`;
  await mustBuild(daemon, { Dockerfile, a: "a" }, ["-t", "links"]);
  assert.equal(existsSync("/tmp/berth-build-escape"), false);
  assert.equal(await daemon.ok(["run", "--rm", "-w", "/", "links", "cat", "/tmp/berth-build-escape/a"]), "a");
});

test("what a step says last is shown when it fails, and later steps do not happen", async () => {
  const { stdout, stderr } = await failedBuild(daemon, {
    Dockerfile: "FROM busybox\nRUN echo before; echo why >&2; exit 9\nRUN echo after",
  });
  assert.match(`${stdout}${stderr}`, /before[\s\S]*why/);
  assert.doesNotMatch(stdout, /Step 3/);
  await nothingLeft();
});
