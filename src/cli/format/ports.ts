/** A port of the API's container summary. */
export interface Port {
  IP?: string;
  PrivatePort?: number;
  PublicPort?: number;
  Type?: string;
}

interface Run {
  ip: string;
  proto: string;
  first: number;
  last: number;
}

/**
 * The ports of a container in short: `53/udp, 0.0.0.0:80-82->80-82/tcp, [::]:8080->80/tcp`. As docker
 * does, neighbours are joined only where the port outside is the same, and the others come last.
 */
export function showPorts(ports: readonly Port[]): string {
  const closed: Run[] = [];
  const open = new Map<string, Run>();
  const moved: string[] = [];
  for (const { IP: ip = "", PrivatePort: port = 0, PublicPort: host = 0, Type: proto = "tcp" } of [
    ...ports,
  ].sort(compare)) {
    if (ip !== "" && host !== port) {
      moved.push(`${bracketed(ip)}:${host}->${port}/${proto}`);
      continue;
    }
    const key = `${ip}/${proto}`;
    const run = open.get(key);
    if (run && port === run.last + 1) {
      run.last = port;
      continue;
    }
    if (run) closed.push({ ...run });
    if (run) Object.assign(run, { first: port, last: port });
    else open.set(key, { ip, proto, first: port, last: port });
  }
  return [...[...closed, ...open.values()].map(showRun), ...moved].join(", ");
}

function showRun({ ip, proto, first, last }: Run): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return ip === "" ? `${range}/${proto}` : `${bracketed(ip)}:${range}->${range}/${proto}`;
}

function bracketed(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}

function compare(a: Port, b: Port): number {
  const text = (x = "", y = "") => (x < y ? -1 : x > y ? 1 : 0);
  return (
    (a.PrivatePort ?? 0) - (b.PrivatePort ?? 0) ||
    text(a.IP, b.IP) ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    text(a.Type, b.Type)
  );
}
