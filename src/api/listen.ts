import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { conflict, system } from "../lib/errors.ts";
import { http, https } from "../lib/http.ts";
import { makeDirectories } from "../lib/make-directories.ts";
import type { Address } from "./daemon-options.ts";
import { type ApiOptions, ApiServer } from "./server.ts";

export const describeAddress = (address: Address): string =>
  address.kind === "unix" ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;

/** Throws CONFLICT when somebody listens there already; a socket file that nobody serves is removed. */
export async function claimAddress(address: Address): Promise<void> {
  if (address.kind !== "unix") return;
  const socket = connect({ path: address.path });
  try {
    await once(socket, "connect");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return;
    if (code === "ECONNREFUSED") return rmSync(address.path, { force: true });
    if (code === "EACCES" || code === "EPERM")
      throw system(
        `cannot listen on ${describeAddress(address)}: it is another user's: run as root or choose another -H`,
        error,
      );
    throw system(`cannot listen on ${describeAddress(address)}: ${String(error)}`, error);
  } finally {
    socket.destroy();
  }
  throw conflict(
    `a daemon already listens on ${describeAddress(address)}: stop it first or choose another -H`,
  );
}

/** Serves the API on `address`. Unix sockets belong to their owner alone. */
export async function listen(address: Address, options: ApiOptions): Promise<ApiServer> {
  const server = address.kind === "unix" ? plainServer(options) : tlsServer(address.tls, options);
  const listening = once(server.http, "listening");
  try {
    if (address.kind === "unix") listenPrivately(server, address.path);
    else server.http.listen(address.port, address.host);
    await listening;
  } catch (error) {
    listening.catch(() => undefined);
    throw system(`cannot listen on ${describeAddress(address)}: ${String(error)}`, error);
  }
  return server;
}

const plainServer = (options: ApiOptions): ApiServer =>
  new ApiServer(options, (settings, handler) => new http.Server(settings, handler));

/** The file is made by bind(2) within listen(), with the mode that the umask leaves: never open to others. */
function listenPrivately(server: ApiServer, path: string): void {
  makeDirectories(dirname(path), 0o711);
  const umask = process.umask(0o177);
  try {
    server.http.listen(path);
  } finally {
    process.umask(umask);
  }
}

function tlsServer(files: { ca: string; certificate: string; key: string }, options: ApiOptions): ApiServer {
  const tls = {
    ca: readFileSync(files.ca),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    // As node:http has it: the end of what a client sends is not the end of what it wants to read.
    allowHalfOpen: true,
    requestCert: true,
    rejectUnauthorized: true,
  };
  return new ApiServer(options, (settings, handler) =>
    https().createServer({ ...settings, ...tls }, handler),
  );
}
