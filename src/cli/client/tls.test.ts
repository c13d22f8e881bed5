import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { text } from "./client.ts";
import { httpRequest } from "./http.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-client-tls-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

/** A certificate for `san` and its key, its own authority. */
function certificate(name: string, san: string): void {
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    file(`${name}.key`),
  ];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${san}`];
  execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, ...subject, "-out", file(`${name}.pem`)], {
    stdio: "ignore",
  });
}

test("TLS: the server is who it must be, and halves end apart", async () => {
  certificate("right", "IP:127.0.0.1");
  certificate("wrong", "DNS:localhost");
  for (const name of ["right", "wrong"]) {
    const server = createServer({
      cert: readFileSync(file(`${name}.pem`)),
      key: readFileSync(file(`${name}.key`)),
      allowHalfOpen: true,
    });
    server.on("tlsClientError", () => undefined);
    server.on("secureConnection", (socket: TLSSocket) => {
      socket.once("data", () => socket.write("HTTP/1.1 101 UPGRADED\r\n\r\n"));
      socket.on("end", () => setTimeout(() => socket.end("after the end"), 20));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const tls = {
      ca: file(`${name}.pem`),
      cert: file(`${name}.pem`),
      key: file(`${name}.key`),
      verify: true,
    };
    const asking = httpRequest(
      { kind: "tcp", hostname: "127.0.0.1", port, tls },
      { method: "POST", path: "/", upgrade: true },
    );
    if (name === "wrong") {
      await assert.rejects(asking, /does not match certificate's altnames/);
    } else {
      const response = await asking;
      response.socket.end();
      assert.equal(await text(response.body), "after the end");
      response.socket.destroy();
    }
    server.close();
  }
});

test("a certificate that cannot be read is named", async () => {
  writeFileSync(file("empty.pem"), "");
  const tls = { ca: file("none.pem"), cert: file("empty.pem"), key: file("empty.pem"), verify: true };
  await assert.rejects(
    httpRequest({ kind: "tcp", hostname: "127.0.0.1", port: 1, tls }, { method: "GET", path: "/" }),
    /could not load TLS material: open .*none\.pem: no such file or directory/,
  );
});
