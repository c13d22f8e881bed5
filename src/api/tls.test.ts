import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { silentLogger } from "../lib/log.ts";
import { startDaemon } from "./daemon.ts";
import { parseDaemonOptions } from "./daemon-options.ts";
import { fakeAttachment, fakeServices } from "./services.fake.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-api-tls-"));
after(() => rmSync(directory, { recursive: true }));
const file = (name: string): string => join(directory, name);
const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });

/** A key and a certificate, signed by the authority `by` or by itself. */
function certificate(name: string, by?: string): void {
  const subject = ["-subj", `/CN=${name}`, "-keyout", file(`${name}.key`), "-nodes", "-newkey", "ec"];
  const curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"];
  if (!by) {
    openssl("req", "-x509", "-days", "2", ...subject, ...curve, "-out", file(`${name}.pem`));
    return;
  }
  writeFileSync(file("san"), "subjectAltName=IP:127.0.0.1\n");
  openssl("req", "-new", ...subject, ...curve, "-out", file("request"));
  const authority = ["-CA", file(`${by}.pem`), "-CAkey", file(`${by}.key`), "-CAcreateserial"];
  const out = ["-days", "2", "-extfile", file("san"), "-out", file(`${name}.pem`)];
  openssl("x509", "-req", "-in", file("request"), ...authority, ...out);
}

function ping(port: number, client?: string): Promise<number | undefined> {
  const identity = client
    ? { cert: readFileSync(file(`${client}.pem`)), key: readFileSync(file(`${client}.key`)) }
    : {};
  const ca = readFileSync(file("ca.pem"));
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/_ping", ca, agent: false, ...identity };
    request(options, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
}

/** Attaches and ends its half at once; resolves to what came after the answer's headers. */
async function attach(port: number): Promise<string> {
  const socket = connect({
    host: "127.0.0.1",
    // What holds for the connection holds for TLS over it.
    socket: createConnection({ host: "127.0.0.1", port, allowHalfOpen: true }),
    ca: readFileSync(file("ca.pem")),
    cert: readFileSync(file("client.pem")),
    key: readFileSync(file("client.key")),
  });
  socket.end(
    "POST /containers/a/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
  );
  let received = "";
  for await (const data of socket) received += data;
  return received.slice(received.indexOf("\r\n\r\n") + 4);
}

test("over TCP only clients with a certificate of the authority are heard, and may half-close", async () => {
  certificate("ca");
  certificate("server", "ca");
  certificate("client", "ca");
  certificate("stranger");
  const files = [
    "--tlscacert",
    file("ca.pem"),
    "--tlscert",
    file("server.pem"),
    "--tlskey",
    file("server.key"),
  ];
  const port = 20_000 + (process.pid % 20_000);
  const options = parseDaemonOptions(["-H", `tcp://127.0.0.1:${port}`, "--tlsverify", ...files]);
  assert.ok(options);
  const attachment = fakeAttachment(true);
  const services = fakeServices({ containers: { attach: async () => attachment } });
  const open = async () => ({ ...services, close: async () => {} });
  const daemon = await startDaemon(options, open, silentLogger);
  try {
    assert.equal(await ping(port, "client"), 200);
    await assert.rejects(ping(port));
    await assert.rejects(ping(port, "stranger"));
    // Output goes on after a client said all that it had to say.
    const attached = attach(port);
    setTimeout(() => attachment.emit("stdout", "late").then(() => attachment.end()), 50);
    assert.equal(await attached, "late");
  } finally {
    await daemon.stop();
  }
});
