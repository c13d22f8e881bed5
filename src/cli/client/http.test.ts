import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { text } from "./client.ts";
import { httpRequest } from "./http.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-http-test-"));
const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  rmSync(folder, { recursive: true });
});

/** A server on a socket of its own that answers with whatever `respond` writes. */
async function serve(respond: (socket: Socket, request: string) => void) {
  const path = join(folder, `${servers.length}.sock`);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let request = "";
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      const before = request;
      request += data.toString("latin1");
      if (!before.includes("\r\n\r\n") && request.includes("\r\n\r\n")) respond(socket, request);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { kind: "unix", path } as const;
}

const get = { method: "GET", path: "/" };

test("a body by its length, in pieces, behind an interim answer", async () => {
  const endpoint = await serve((socket) => {
    socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le");
    setTimeout(() => socket.write("ngth: 5\r\nX-Y: z\r\n\r\nhel"), 5);
    setTimeout(() => socket.write("lo, not this"), 10);
  });
  const response = await httpRequest(endpoint, get);
  assert.equal(response.headers["x-y"], "z");
  assert.equal(await text(response.body), "hello");
});

test("a chunked body, split anywhere, with trailers", async () => {
  const whole =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
  const endpoint = await serve((socket) => {
    let at = 0;
    const next = () => {
      socket.write(whole.slice(at, at + 7));
      at += 7;
      if (at < whole.length) setImmediate(next);
    };
    next();
  });
  assert.equal(await text((await httpRequest(endpoint, get)).body), "abc0123456789");
});

test("a body that breaks off is an error", async () => {
  for (const head of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
    const endpoint = await serve((socket) => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nab`));
    await assert.rejects(text((await httpRequest(endpoint, get)).body), /unexpected EOF/, head);
  }
});

test("what is not HTTP is refused", async () => {
  const nonsense = await serve((socket) => socket.end("SSH-2.0-x\r\n\r\n"));
  await assert.rejects(httpRequest(nonsense, get), /malformed HTTP response/);
  const silent = await serve((socket) => socket.end());
  await assert.rejects(httpRequest(silent, get), /closed the connection without an answer/);
  await assert.rejects(httpRequest({ kind: "unix", path: join(folder, "none") }, get), { code: "ENOENT" });
});

test("a streamed body is sent in chunks, and its error is the request's", async () => {
  const endpoint = await serve((socket, request) => {
    assert.match(request, /Transfer-Encoding: chunked/);
    let all = request;
    socket.on("data", (data) => {
      all += data.toString();
      if (all.endsWith("0\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  async function* body() {
    yield Buffer.from("abc");
    await new Promise((resolve) => setTimeout(resolve, 5));
    yield Buffer.from("defg");
  }
  assert.equal(
    await text((await httpRequest(endpoint, { ...get, method: "POST", body: body() })).body),
    "ok",
  );
  async function* broken() {
    yield Buffer.from("abc");
    throw new Error("cannot read the file");
  }
  await assert.rejects(
    httpRequest(endpoint, { ...get, method: "POST", body: broken() }),
    /cannot read the file/,
  );
});

test("an upgraded connection carries both ways, and its halves end apart", async () => {
  const endpoint = await serve((socket, request) => {
    assert.match(request, /Upgrade: tcp/);
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst ");
    socket.on("data", (data) => socket.write(`got ${data} `));
    socket.on("end", () => socket.end("end"));
  });
  const response = await httpRequest(endpoint, { ...get, method: "POST", upgrade: true });
  response.socket.write("input");
  setTimeout(() => response.socket.end(), 20);
  assert.equal(await text(response.body), "first got input end");
});
