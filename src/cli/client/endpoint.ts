import { CliError } from "../errors.ts";

export const defaultHost = "unix:///run/berth/berth.sock";

/** TLS material by file name, as given by `--tls*` or `DOCKER_CERT_PATH`. */
export interface TlsFiles {
  ca: string;
  cert: string;
  key: string;
  verify: boolean;
}

/** Where the daemon listens. */
export type Endpoint =
  | { kind: "unix"; path: string }
  | { kind: "tcp"; hostname: string; port: number; tls: TlsFiles | null };

/** The host to talk to: `-H`, else `BERTH_HOST`, else `DOCKER_HOST`, else Berth's own socket. */
export function chooseHost(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  return flag || env.BERTH_HOST || env.DOCKER_HOST || defaultHost;
}

/** Reads `unix://path` or `tcp://name:port`; a bare `name:port` is TCP. Throws `CliError`. */
export function parseHost(host: string, tls: TlsFiles | null): Endpoint {
  const scheme = /^([a-z]+):\/\//.exec(host)?.[1] ?? "";
  const address = scheme ? host.slice(scheme.length + 3) : host;
  if (scheme === "unix") {
    if (address === "") throw new CliError(`invalid host ${JSON.stringify(host)}: no path of a socket`);
    return { kind: "unix", path: address };
  }
  if (scheme === "tcp" || scheme === "http" || scheme === "https" || scheme === "") {
    const match = /^(?:\[([^\]]+)\]|([^:/]*))(?::(\d+))?\/?$/.exec(address);
    if (!match) throw new CliError(`invalid host ${JSON.stringify(host)}`);
    const hostname = match[1] || match[2] || "127.0.0.1";
    return { kind: "tcp", hostname, port: Number(match[3] || (tls ? 2376 : 2375)), tls };
  }
  throw new CliError(`invalid host ${JSON.stringify(host)}: use unix://PATH or tcp://NAME:PORT`);
}
