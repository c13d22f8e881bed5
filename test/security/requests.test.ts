// Requests that no command line would send: refused with a status and a text, and nothing left behind.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("requests");
});
after(async () => {
  const left = await daemon.ok(["ps", "-aq"]);
  await daemon.end();
  assert.equal(left, "");
  assert.deepEqual(daemon.leftovers(), []);
});

interface Answer {
  status: number;
  body: string;
}

/** Sends bytes as they are. Who sends too much is heard out and gets to read why it was refused. */
function send(method: string, path: string, body: Buffer | string = ""): Promise<Answer> {
  return new Promise((done, fail) => {
    const socket = connect(daemon.socket);
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    const finish = (): void => {
      const [head = "", ...rest] = Buffer.concat(parts).toString().split("\r\n\r\n");
      if (head === "") fail(new Error(`no answer to ${method} ${path}`));
      else done({ status: Number(head.split(" ")[1]), body: rest.join("\r\n\r\n") });
    };
    socket.on("error", finish);
    socket.on("end", finish);
    const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json`;
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    // In one write: a second one may come after the answer and fail, and with it the reading of it.
    socket.write(Buffer.concat([Buffer.from(`${head}\r\n${length}\r\n\r\n`), Buffer.from(body)]));
  });
}

const create = (request: object): Promise<Answer> =>
  send("POST", "/containers/create", JSON.stringify({ Image: "busybox", ...request }));

/** Creates and starts it, which fails; returns what the start answered. */
async function start(request: object): Promise<Answer> {
  const made = await create(request);
  assert.equal(made.status, 201, made.body);
  const id = String(JSON.parse(made.body).Id);
  const answer = await send("POST", `/containers/${id}/start`);
  await daemon.ok(["rm", "-f", id]);
  return answer;
}

test("malformed values", async () => {
  for (const [request, status, text] of [
    [{ Env: ["=x"] }, 400, "invalid environment variable: =x"],
    [{ HostConfig: { ExtraHosts: ["a:1.2.3.4\n6.6.6.6 b"] } }, 400, "invalid IP address in add-host"],
    [{ HostConfig: { ExtraHosts: ["a b:1.2.3.4"] } }, 400, "bad format for add-host"],
    [
      { HostConfig: { Memory: 1e20 } },
      400,
      "cannot unmarshal number 100000000000000000000 into Go struct field",
    ],
    [{ HostConfig: { Memory: "x" } }, 400, "cannot unmarshal string into Go struct field"],
    [{ HostConfig: { Isolation: "hyper" } }, 400, "one of 'default', 'process' and 'hyperv'"],
    [{ HostConfig: { PortBindings: { abc: [{}] } } }, 400, "invalid port specification"],
    [
      { HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "99999" }] } } },
      400,
      "invalid port specification",
    ],
  ] as const) {
    const answer = await create(request);
    assert.equal(answer.status, status, answer.body);
    assert.ok(answer.body.includes(text), answer.body);
  }
});

test("sysctls by a path that leads elsewhere", async () => {
  for (const name of [
    "net/../kernel/panic",
    "net.//.kernel.panic",
    "net.ipv4/../../kernel/panic",
    "kernel.panic",
  ]) {
    const HostConfig = { UsernsMode: "host", Sysctls: { [name]: "1" } };
    const { status, body } = await start({ HostConfig });
    assert.equal(status, 500);
    assert.match(body, /is not in a separate kernel namespace/, name);
  }
});

test("zero bytes do not make two values of one", async () => {
  for (const request of [
    { Env: ["A=b\0C=d"] },
    { Cmd: ["echo", "a\0b"] },
    { Hostname: "a\0b" },
    { WorkingDir: "/a\0b" },
    { User: "ro\0ot" },
    { HostConfig: { Binds: ["/tmp/\0:/x"] } },
    { HostConfig: { CgroupParent: "/a\0b" } },
  ]) {
    const { status } = await start(request);
    assert.ok(status === 400 || status === 500, `${JSON.stringify(request)}: ${status}`);
  }
});

test("a body of 100 MB, a body that nests too deep, a name too long", async () => {
  const large = Buffer.alloc(100_000_000, '{"Image":"busybox",');
  assert.equal((await send("POST", "/containers/create", large)).status, 413);
  const depth = 50_000;
  const deep = `{"Image":"busybox","Labels":${'{"a":'.repeat(depth)}1${"}".repeat(depth + 1)}`;
  assert.equal((await send("POST", "/containers/create", deep)).status, 400);
  assert.equal((await send("GET", `/containers/${"a".repeat(200_000)}/json`)).status, 404);
  assert.equal((await send("GET", "/_ping")).body, "OK");
});

test("versions that are not spoken", async () => {
  const { status, body } = await send("GET", "/v9.99/containers/json");
  assert.equal(status, 400);
  assert.match(body, /client version 9.99 is too new. Maximum supported API version is 1\.\d+/);
});

test("archives that are none", async () => {
  for (const archive of [Buffer.alloc(0), Buffer.from("junk".repeat(1000)), Buffer.alloc(10240)]) {
    const { code, stderr } = await daemon.docker(["load"], { input: archive });
    assert.equal(code, 1);
    assert.notEqual(stderr, "");
  }
  assert.equal(await daemon.ok(["images", "-q"]), await daemon.ok(["images", "-q", "busybox"]));
});
