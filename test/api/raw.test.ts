// What no client library lets one do: broken requests, huge bodies, connections that break off.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("raw");
});
after(() => daemon.end());

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

const json = { "Content-Type": "application/json" };

function send(method: string, path: string, body: string | Buffer = "", headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: daemon.socket, method, path, headers, agent: false },
      async (response) => {
        const body = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      },
    );
    sent.on("error", reject).end(body);
  });
}

async function refused(status: number, message: RegExp, ...call: Parameters<typeof send>): Promise<void> {
  const answer = await send(...call);
  assert.equal(answer.status, status, `${call[0]} ${call[1]}: ${answer.body}`);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.match(JSON.parse(answer.body).message, message);
}

const containers = async (): Promise<unknown[]> =>
  JSON.parse((await send("GET", "/containers/json?all=1")).body);

test("broken requests are refused with Docker's words and leave nothing", async () => {
  const create = "/v1.43/containers/create";
  await refused(
    400,
    /^client version 1\.99 is too new\. Maximum supported API version is 1\.50$/,
    "GET",
    "/v1.99/info",
  );
  await refused(400, /^client version 1\.12 is too old\. Minimum supported/, "GET", "/v1.12/info");
  await refused(404, /^page not found$/, "GET", "/nowhere");
  await refused(404, /^page not found$/, "POST", "/session", "", { Connection: "Upgrade", Upgrade: "h2c" });
  await refused(400, /^invalid JSON: unexpected EOF$/, "POST", create, "{", json);
  await refused(400, /^invalid JSON: invalid character 'x' looking for/, "POST", create, "xx", json);
  await refused(400, /^unexpected content after JSON$/, "POST", create, '{"Image":"busybox"} {}', json);
  await refused(400, /^invalid JSON: got EOF while reading request body$/, "POST", create, "", json);
  await refused(400, /^Config cannot be empty/, "POST", create, "{}", json);
  await refused(400, /must be 'application\/json'$/, "POST", create, "{}", { "Content-Type": "text/plain" });
  await refused(
    400,
    /cannot unmarshal number into .*Image of type string$/,
    "POST",
    create,
    '{"Image":5}',
    json,
  );
  await refused(404, /^No such image: nope:latest$/, "POST", create, '{"Image":"nope"}', json);
  await refused(400, /^invalid filter$/, "GET", "/containers/json?filters=xx");
  await refused(
    400,
    /^invalid filter 'nope'$/,
    "GET",
    "/containers/json?filters=%7B%22nope%22%3A%5B%22a%22%5D%7D",
  );
  await refused(400, /^strconv\.Atoi: parsing "x": invalid syntax$/, "GET", "/containers/json?limit=x");
  await refused(404, /^No such container: nobody$/, "GET", "/containers/nobody/json");
  await refused(404, /^No such container: nobody$/, "POST", "/containers/nobody/attach");
  await refused(400, /choose at least one stream/, "GET", "/containers/nobody/logs");
  assert.deepEqual(await containers(), []);
});

test("a body of 100 MB is refused without being kept, told or untold its length", async () => {
  const resident = (): number =>
    Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;
  const before = resident();
  const body = Buffer.alloc(100 << 20, " ");
  await refused(413, /too large/, "POST", "/containers/create", body, {
    ...json,
    "Content-Length": body.length,
  });
  await refused(413, /too large/, "POST", "/containers/create", body, {
    ...json,
    "Transfer-Encoding": "chunked",
  });
  assert.ok(resident() - before < 60 << 20, `grew by ${resident() - before} bytes`);
  assert.equal((await send("GET", "/_ping")).body, "OK");
});

test("odd but legal requests are understood", async () => {
  const body = JSON.stringify({ image: "busybox", cmd: "true", hostconfig: { networkmode: "none" } });
  const created = await send("POST", "/containers/create?name=odd", body, {
    "Content-Type": "application/json; charset=utf-8",
  });
  assert.equal(created.status, 201, created.body);
  assert.equal((await send("GET", "/containers/%2Fodd/json")).status, 200);
  assert.equal((await send("POST", "/containers/odd/start", "null", json)).status, 204);
  await refused(400, /non-empty request body/, "POST", "/containers/odd/start", '{"Binds":["/:/x"]}', json);
  assert.deepEqual(JSON.parse((await send("POST", "/containers/odd/wait")).body), { StatusCode: 0 });
  assert.equal((await send("DELETE", "/v1.24/containers/odd?force=no")).status, 204);
});

/** What a process has open; descriptors come and go meanwhile. */
function openFiles(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(`${directory}/${fd}`)];
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  });
}

/** A client that has gone is noticed at the next output. */
const ticking = "trap 'exit 0' TERM; while :; do echo tick; sleep 0.1; done";

test("clients that break off are forgotten", async () => {
  const body = JSON.stringify({
    Image: "busybox",
    Cmd: ["sh", "-c", ticking],
    OpenStdin: true,
    HostConfig: { NetworkMode: "none" },
  });
  await send("POST", "/containers/create?name=busy", body, json);
  await send("POST", "/containers/busy/start");
  // One for watching files stays once it is there.
  const descriptors = (): number =>
    openFiles(daemon.pid).filter((file) => file !== "anon_inode:inotify").length;
  const before = descriptors();
  const streams = [
    "POST /containers/busy/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "POST /containers/busy/wait HTTP/1.1\r\nHost: d\r\n\r\n",
    "GET /containers/busy/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "GET /containers/busy/stats HTTP/1.1\r\nHost: d\r\n\r\n",
    "GET /events HTTP/1.1\r\nHost: d\r\n\r\n",
    "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
  ];
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      streams.map(async (text) => {
        const socket = connect(daemon.socket);
        socket.write(text);
        await Promise.race([once(socket, "data"), new Promise((resolve) => setTimeout(resolve, 100))]);
        socket.destroy();
      }),
    );
  }
  await until("no descriptor is left open", () => descriptors() <= before);
  await until(
    "the container still obeys",
    async () => (await send("POST", "/containers/busy/stop")).status === 204,
  );
  await send("DELETE", "/containers/busy");
  assert.deepEqual(await containers(), []);
  assert.ok(!/unhandled|uncaught|request failed/.test(daemon.log), daemon.log);
});

test("a process without a terminal has no size: that is no fault", async () => {
  const id = await daemon.ok(["run", "-d", "busybox", "sleep", "600"]);
  assert.equal((await send("POST", `/v1.50/containers/${id}/resize?h=10&w=20`)).status, 200);
  const wish = JSON.stringify({ Cmd: ["sleep", "600"] });
  const { body } = await send("POST", `/v1.50/containers/${id}/exec`, wish, json);
  const exec = JSON.parse(body).Id;
  assert.equal((await send("POST", `/v1.50/exec/${exec}/start`, '{"Detach":true}', json)).status, 200);
  assert.equal((await send("POST", `/v1.50/exec/${exec}/resize?h=10&w=20`)).status, 200);
  await refused(400, /strconv/, "POST", `/v1.50/containers/${id}/resize?h=x&w=20`);
  await daemon.ok(["rm", "-f", id]);
});
