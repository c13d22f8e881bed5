import { parseArgs } from "node:util";
import { parseBytes } from "../lib/bytes.ts";
import { invalid } from "../lib/errors.ts";
import { type LogLevel, logLevels } from "../lib/log.ts";
import {
  type DefaultBridgeFlags,
  defaultBridge,
  defaultBridgeFlags,
  defaultBridgeSwitches,
} from "./default-bridge-flags.ts";
import { type NetworkFlags, networkFlags, networkFlagValues, networkSwitches } from "./network-flags.ts";

export interface TlsFiles {
  ca: string;
  certificate: string;
  key: string;
}

import { parseTime } from "../lib/parse-time.ts";

/** Where to listen. */
export type Address =
  | { kind: "unix"; path: string }
  | { kind: "tcp"; host: string; port: number; tls: TlsFiles };

export interface DaemonOptions {
  addresses: Address[];
  dataRoot: string;
  execRoot: string;
  registries: string;
  /** How containers are isolated that do not say. */
  isolation: "default" | "hyperv";
  guestKernel: string | undefined;
  guestTemplates: boolean;
  /** Where networks without a subnet of their own get one; empty for Docker's pools. */
  addressPools: string[];
  defaultBridge: DefaultBridgeFlags;
  networks: NetworkFlags;
  /** What the build cache may be, bytes and milliseconds unused; undefined for the usual bounds. */
  experimental: boolean;
  cdiDirectories: readonly string[] | undefined;
  buildCache: { size: number | undefined; age: number | undefined };
  pidFile: string | undefined;
  logLevel: LogLevel;
  logFormat: "text" | "json";
}

/** What fits into a socket address, unix(7). */
const longestSocketPath = 107;

export const usage = `Usage: berth daemon [OPTIONS]

Runs the engine and answers the Docker Engine API. A stop leaves the containers running.

  -H, --host ADDRESS      unix://PATH or tcp://NAME:PORT; several may be given
                          (default unix:///run/berth/berth.sock)
      --data-root DIR     state that lasts (default /var/lib/berth)
      --exec-root DIR     state of running containers (default /run/berth)
      --registries FILE   how registries are reached: mirrors, insecure ones, certificates
                          (default /etc/berth/registries.json)
      --exec-opt isolation=hyperv
                          containers run in virtual machines unless they say --isolation=process
      --guest-kernel FILE the kernel of virtual machines, named vmlinuz-VERSION (default: the newest found)
      --no-guest-templates
                          start virtual machines of containers from templates only where someone made one
      --default-address-pool base=CIDR,size=N
                          where networks get their subnets from; several may be given
      --default-network-opt DRIVER=OPTION=VALUE
                          an option of new networks that do not give it; several may be given
      --dns IP, --dns-opt OPTION, --dns-search DOMAIN
                          for containers that do not say; several may be given
      --host-gateway-ip IP
                          what host-gateway is in --add-host; one of each family may be given
      --ip-forward=false  leave the kernel's switch for forwarding as it is
  -b, --bridge NAME       the default network uses this bridge, which is there; none: there is no such network
      --bip CIDR          address and subnet of the default network's bridge, as 10.1.0.1/24
      --fixed-cidr CIDR   where its containers' addresses are from; without --bip also its subnet
      --ipv6              it has IPv6 as well
      --fixed-cidr-v6 CIDR
                          its IPv6 subnet (default: one of its own in fd00::/8)
      --default-gateway IP, --default-gateway-v6 IP
                          what leads out of it instead of its bridge
      --mtu BYTES         its largest packets (default 1500)
      --icc=false         its containers do not reach each other
      --ip-masq=false     packets that leave it keep their address
      --ip IP             where ports are published that name no address (default 0.0.0.0)
      --build-cache-size SIZE
                          what builds may leave for later ones (default: a tenth of the disk, 2 GB at least)
      --build-cache-age DURATION
                          how long what nobody uses of that stays (default 1440h)
      --cdi-spec-dir DIR  where devices for RUN --device are described; several may be given
                          (default /etc/cdi and /var/run/cdi)
      --experimental      lets docker ask for what it calls experimental: docker build --squash
  -p, --pidfile FILE      where to write the process id
  -l, --log-level LEVEL   debug, info, warn or error (default info)
      --log-format FORMAT text or json (default text)
  -D, --debug             the same as --log-level debug
      --tlsverify         tcp:// needs it, with the next three
      --tlscacert FILE    the authority that clients' certificates must come from
      --tlscert FILE      this daemon's certificate
      --tlskey FILE       its key
  -h, --help              this text
`;

/** Reads the daemon's flags; `null` when help is asked for. Throws INVALID_PARAMETER. */
export function parseDaemonOptions(argv: string[]): DaemonOptions | null {
  const values = readFlags(argv);
  if (values.help) return null;
  const logLevel = values.debug ? "debug" : logLevels.find((level) => level === values["log-level"]);
  if (!logLevel) throw invalid(`invalid log level ${values["log-level"]}: one of ${logLevels.join(", ")}`);
  const logFormat = values["log-format"];
  if (logFormat !== "text" && logFormat !== "json") {
    throw invalid(`invalid log format ${logFormat}: text or json`);
  }
  const hosts = values.host ?? ["unix:///run/berth/berth.sock"];
  const tls = tlsFiles(values);
  return {
    addresses: hosts.map((host) => parseAddress(host, tls)),
    dataRoot: values["data-root"],
    execRoot: values["exec-root"],
    registries: values.registries,
    isolation: defaultIsolation(values["exec-opt"] ?? []),
    guestKernel: values["guest-kernel"],
    guestTemplates: values["guest-templates"],
    addressPools: values["default-address-pool"] ?? [],
    defaultBridge: defaultBridge(values),
    networks: networkFlagValues(values),
    buildCache: {
      size: flagValue("build-cache-size", values["build-cache-size"], parseBytes),
      age: flagValue("build-cache-age", values["build-cache-age"], parseAge),
    },
    experimental: values.experimental,
    cdiDirectories: values["cdi-spec-dir"],
    pidFile: values.pidfile,
    logLevel,
    logFormat,
  };
}

/** Milliseconds of a Go duration. */
function parseAge(text: string): number {
  if (!/[hms]$/.test(text)) throw invalid("must be a duration like 72h");
  return -parseTime(text, 0).getTime();
}

function flagValue(
  name: string,
  text: string | undefined,
  read: (text: string) => number,
): number | undefined {
  if (text === undefined) return undefined;
  try {
    return read(text);
  } catch (error) {
    throw invalid(`invalid --${name} ${text}: ${error instanceof Error ? error.message : error}`, error);
  }
}

const switches = [...defaultBridgeSwitches, ...networkSwitches];

/** Gives flags that are on when they are there the value that says so. */
const withValues = (argv: readonly string[]): string[] =>
  argv.map((argument) => (switches.includes(argument) ? `${argument}=true` : argument));

function readFlags(argv: string[]) {
  try {
    return parseArgs({
      args: withValues(argv),
      allowNegative: true,
      options: {
        host: { type: "string", short: "H", multiple: true },
        "data-root": { type: "string", default: "/var/lib/berth" },
        "exec-root": { type: "string", default: "/run/berth" },
        registries: { type: "string", default: "/etc/berth/registries.json" },
        "exec-opt": { type: "string", multiple: true },
        "guest-kernel": { type: "string" },
        "guest-templates": { type: "boolean", default: true },
        "default-address-pool": { type: "string", multiple: true },
        ...defaultBridgeFlags,
        ...networkFlags,
        "build-cache-size": { type: "string" },
        "build-cache-age": { type: "string" },
        "cdi-spec-dir": { type: "string", multiple: true },
        experimental: { type: "boolean", default: false },
        pidfile: { type: "string", short: "p" },
        "log-level": { type: "string", short: "l", default: "info" },
        "log-format": { type: "string", default: "text" },
        debug: { type: "boolean", short: "D", default: false },
        tlsverify: { type: "boolean", default: false },
        tlscacert: { type: "string" },
        tlscert: { type: "string" },
        tlskey: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw invalid(`${error instanceof Error ? error.message : error}\nSee 'berth daemon --help'.`, error);
  }
}

/** dockerd's --exec-opt; others than the isolation are of other runtimes. */
function defaultIsolation(options: readonly string[]): DaemonOptions["isolation"] {
  let isolation: DaemonOptions["isolation"] = "default";
  for (const option of options) {
    const [name, value] = option.split("=", 2);
    if (name !== "isolation") throw invalid(`invalid --exec-opt ${option}: only isolation=… is known`);
    if (value !== "hyperv" && value !== "default" && value !== "process")
      throw invalid(`invalid --exec-opt ${option}: one of default, process and hyperv`);
    isolation = value === "hyperv" ? "hyperv" : "default";
  }
  return isolation;
}

function tlsFiles(values: {
  tlsverify: boolean;
  tlscacert?: string;
  tlscert?: string;
  tlskey?: string;
}): TlsFiles | null {
  const { tlsverify, tlscacert, tlscert, tlskey } = values;
  if (!tlsverify || !tlscacert || !tlscert || !tlskey) return null;
  return { ca: tlscacert, certificate: tlscert, key: tlskey };
}

function parseAddress(host: string, tls: TlsFiles | null): Address {
  const [, scheme, rest = ""] = /^(?:(\w+):\/\/)?(.*)$/.exec(host) ?? [];
  if (scheme === "unix") {
    if (!rest.startsWith("/"))
      throw invalid(`invalid bind address (${host}): unix:// needs an absolute path`);
    if (Buffer.byteLength(rest) > longestSocketPath) {
      throw invalid(`invalid bind address (${host}): a socket's path has at most ${longestSocketPath} bytes`);
    }
    return { kind: "unix", path: rest };
  }
  if (scheme !== "tcp" && scheme !== undefined) {
    throw invalid(`invalid bind address (${host}): only unix:// and tcp:// are known`);
  }
  if (!tls) {
    throw invalid(
      `refusing to listen on ${host}: over TCP whoever reaches the port would own this machine. ` +
        "Give --tlsverify, --tlscacert, --tlscert and --tlskey, or use unix://",
    );
  }
  const [, name = "", port = "2376"] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?\/?$/.exec(rest) ?? [];
  if (Number(port) > 65535 || !/^(\[[^\]]*\]|[^:]*)(:\d+)?\/?$/.test(rest)) {
    throw invalid(`invalid bind address (${host}): tcp://NAME:PORT`);
  }
  return { kind: "tcp", host: name.replace(/^\[|\]$/g, "") || "localhost", port: Number(port), tls };
}
