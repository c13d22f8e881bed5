import { net } from "../builtin.ts";
import { parseBytes } from "../flags/values.ts";

// Checks of single values of `run` and `create`. Each returns the value as it goes into the request and
// throws an Error with docker's reason.

/** `NAME=value`, or `NAME` for the value it has here. */
export function checkEnv(value: string): string {
  if (value === "" || value.startsWith("=")) throw new Error(`invalid environment variable: ${value}`);
  if (value.includes("=")) return value;
  const own = process.env[value];
  return own === undefined ? value : `${value}=${own}`;
}

export function checkLabel(value: string): string {
  if (value === "" || value.startsWith("=")) throw new Error(`invalid label '${value}': empty name`);
  return value;
}

export function checkAttach(value: string): string {
  const stream = value.toLowerCase();
  if (!["stdin", "stdout", "stderr"].includes(stream))
    throw new Error("valid streams are STDIN, STDOUT and STDERR");
  return stream;
}

export function checkAddress(value: string): string {
  const address = value.trim();
  if (net.isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${value}`);
  return address;
}

/** A search domain; `.` for none. */
export function checkDomain(value: string): string {
  const domain = value.trim();
  if (domain === ".") return domain;
  if (
    !/^(?:[\w](?:[\w-]{0,61}[\w])?\.)*[\w](?:[\w-]{0,61}[\w])?\.?$/.test(domain) ||
    !/[a-zA-Z]/.test(domain)
  )
    throw new Error(`${value} is not a valid domain`);
  return domain;
}

/** `host:address` or `host=address`; the address may be in brackets, or `host-gateway`. */
export function checkExtraHost(value: string): string {
  const [, name = "", address = ""] = /^([^:=]+)[:=](.*)$/s.exec(value) ?? [];
  if (name === "" || address === "") throw new Error(`bad format for add-host: ${JSON.stringify(value)}`);
  const bare = /^\[(.*)\]$/.exec(address)?.[1] ?? address;
  if (address !== "host-gateway" && net.isIP(bare) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${name}:${bare}`;
}

export function checkLink(value: string): string {
  if (value === "") throw new Error("empty string specified for links");
  if (value.split(":").length > 2) throw new Error(`bad format for links: ${value}`);
  return value;
}

export function checkSysctl(value: string): string {
  const known = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
  ];
  const [key = "", ...rest] = value.split("=");
  const allowed = known.includes(key) || key.startsWith("net.") || key.startsWith("fs.mqueue.");
  if (rest.length === 0 || !allowed) throw new Error(`sysctl '${value}' is not allowed`);
  return value;
}

export function checkCgroupRule(value: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value))
    throw new Error(`invalid device cgroup format '${value}'`);
  return value;
}

const ulimits = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** `name=soft[:hard]`. */
export function checkUlimit(value: string): string {
  const [name = "", limits, ...more] = value.split("=");
  if (limits === undefined || more.length > 0) throw new Error(`invalid ulimit argument: ${value}`);
  if (!ulimits.includes(name)) throw new Error(`invalid ulimit type: ${name}`);
  const values = limits.split(":");
  if (values.length > 2)
    throw new Error(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
  for (const limit of values)
    if (!/^-?\d+$/.test(limit))
      throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(limit)}: invalid syntax`);
  const [soft = 0, hard = soft] = values.map(Number);
  if (hard !== -1 && soft === -1)
    throw new Error(
      `ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`,
    );
  if (hard !== -1 && soft > hard)
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return value;
}

/** `/dev/x:weight`. */
export function checkWeightDevice(value: string): string {
  const [path, weight] = splitDevice(value);
  if (!/^\d+$/.test(weight) || (Number(weight) > 0 && (Number(weight) < 10 || Number(weight) > 1000)))
    throw new Error(`invalid weight for device: ${value}`);
  return `${path}:${weight}`;
}

/** `/dev/x:rate` in bytes per second. */
export function checkRateBytes(value: string): string {
  const [path, rate] = splitDevice(value);
  try {
    return `${path}:${parseBytes(rate)}`;
  } catch {
    throw new Error(
      `invalid rate for device: ${value}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
    );
  }
}

/** `/dev/x:rate` in operations per second. */
export function checkRateCount(value: string): string {
  const [path, rate] = splitDevice(value);
  if (!/^\d+$/.test(rate))
    throw new Error(
      `invalid rate for device: ${value}. The correct format is <device-path>:<number>. Number must be a positive integer`,
    );
  return `${path}:${rate}`;
}

function splitDevice(value: string): [string, string] {
  const colon = value.indexOf(":");
  if (colon < 0) throw new Error(`bad format: ${value}`);
  const path = value.slice(0, colon);
  if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${value}`);
  return [path, value.slice(colon + 1)];
}

/** Berth passes no GPUs through; saying so early beats a container without one. */
export function checkGpus(value: string): string {
  throw new Error(`GPUs are not supported (${value})`);
}
