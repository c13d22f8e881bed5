import { readFileSync } from "node:fs";
import { createConnection, isIP, type Socket } from "node:net";
import { connect } from "node:tls";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";
import type { TlsFiles } from "./endpoint.ts";

/** Connects with the client's certificate; rejects when the server's is not accepted. */
export function connectTls(host: string, port: number, files: TlsFiles): Promise<Socket> {
  const read = (path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new CliError(`could not load TLS material: ${openError(path, error)}`);
    }
  };
  return new Promise((resolve, reject) => {
    const socket = connect({
      // The end of input must not end the output, as the API's raw streams need it.
      socket: createConnection({ host, port, allowHalfOpen: true, noDelay: true }).on("error", reject),
      // Whom the certificate must name; an address cannot be asked for in the greeting.
      host,
      servername: isIP(host) ? undefined : host,
      ca: files.verify ? read(files.ca) : undefined,
      cert: read(files.cert),
      key: read(files.key),
      rejectUnauthorized: files.verify,
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}
