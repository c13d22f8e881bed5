import { net } from "../builtin.ts";
import { CliError } from "../errors.ts";

export interface PortBinding {
  HostIp: string;
  HostPort: string;
}

/** Ports that a container exposes and where they are published, by `80/tcp`. */
export interface PublishedPorts {
  exposed: Record<string, object>;
  bindings: Record<string, PortBinding[]>;
}

/** Reads `--publish` and `--expose`. Throws `CliError`. */
export function parsePorts(publish: readonly string[], expose: readonly string[]): PublishedPorts {
  const ports: PublishedPorts = { exposed: {}, bindings: {} };
  for (const spec of publish) {
    for (const [port, binding] of parsePublish(toShort(spec))) {
      ports.exposed[port] = {};
      ports.bindings[port] = [...(ports.bindings[port] ?? []), binding];
    }
  }
  for (const spec of expose) {
    if (spec.includes(":")) throw new CliError(`invalid port format for --expose: ${spec}`);
    const [range = "", proto = "tcp"] = spec.split("/");
    try {
      const [first, last] = parseRange(range);
      for (let port = first; port <= last; port++) ports.exposed[`${port}/${proto}`] = {};
    } catch (error) {
      throw new CliError(
        `invalid range format for --expose: ${spec}, error: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  return ports;
}

/** `published=8080,target=80,protocol=tcp` in the short form. */
function toShort(spec: string): string {
  if (!spec.includes("=")) return spec;
  const fields: Record<string, string> = { protocol: "tcp" };
  for (const field of spec.split(",")) {
    const [key = "", value] = field.split("=");
    if (value === undefined)
      throw new CliError(`invalid publish opts format (should be name=value but got '${field}')`);
    fields[key] = value;
  }
  return `${fields.published ?? ""}:${fields.target ?? ""}/${fields.protocol}`;
}

/** `[[ip:][hostPort]:]containerPort[/proto]`, where ports may be ranges. */
function parsePublish(spec: string): [string, PortBinding][] {
  const slash = spec.lastIndexOf("/");
  const proto = (slash < 0 ? "tcp" : spec.slice(slash + 1)).toLowerCase() || "tcp";
  const { ip, host, container } = splitAddress(slash < 0 ? spec : spec.slice(0, slash));
  if (container === "") throw new CliError(`no port specified: ${spec}<empty>`);
  if (ip !== "" && net.isIP(ip.replace(/%.*$/, "")) === 0) throw new CliError(`invalid IP address: ${ip}`);
  const [first, last] = rangeOr(container, `invalid containerPort: ${container}`);
  if (!["tcp", "udp", "sctp"].includes(proto)) throw new CliError(`invalid proto: ${proto}`);
  const [hostFirst, hostLast] = host === "" ? [0, 0] : rangeOr(host, `invalid hostPort: ${host}`);
  const count = last - first;
  // One container port may be given a range of host ports, of which the daemon takes a free one.
  if (host !== "" && hostLast - hostFirst !== count && count !== 0)
    throw new CliError(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  return Array.from({ length: count + 1 }, (_, i): [string, PortBinding] => {
    const single = host === "" ? "" : String(hostFirst + i);
    const hostPort = count === 0 && hostFirst !== hostLast ? `${hostFirst}-${hostLast}` : single;
    return [`${first + i}/${proto}`, { HostIp: ip, HostPort: hostPort }];
  });
}

function splitAddress(spec: string): { ip: string; host: string; container: string } {
  const parts = spec.split(":");
  const container = parts.at(-1) ?? "";
  const host = parts.length > 1 ? (parts.at(-2) ?? "") : "";
  const ip = parts.slice(0, -2).join(":");
  return { ip: ip.replace(/^\[(.*)\]$/, "$1"), host, container };
}

function rangeOr(text: string, message: string): [number, number] {
  try {
    return parseRange(text);
  } catch {
    throw new CliError(message);
  }
}

function parseRange(text: string): [number, number] {
  if (text === "") throw new Error("empty string specified for ports");
  const [start = "", end = start] = text.split("-");
  for (const port of [start, end]) {
    if (!/^\d+$/.test(port))
      throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`);
    if (Number(port) > 65535)
      throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(port)}: value out of range`);
  }
  if (Number(end) < Number(start)) throw new Error(`invalid range specified for port: ${text}`);
  return [Number(start), Number(end)];
}
