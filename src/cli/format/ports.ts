/** A port of the API's container summary. */
export interface Port {
  IP?: string;
  PrivatePort?: number;
  PublicPort?: number;
  Type?: string;
}

/** A run of adjacent ports that are published alike. */
interface PortRun {
  ip: string;
  proto: string;
  first: number;
  last: number;
  /** Where the first is published; 0 for a port that is only exposed. */
  host: number;
}

/** The ports of a container in short: `0.0.0.0:8080-8081->80-81/tcp, 53/udp`. */
export function showPorts(ports: readonly Port[]): string {
  const runs: PortRun[] = [];
  for (const { IP = "", PrivatePort = 0, PublicPort = 0, Type = "tcp" } of [...ports].sort(compare)) {
    const last = runs.findLast(
      (run) => run.ip === IP && run.proto === Type && run.host > 0 === PublicPort > 0,
    );
    const next = last ? last.last + 1 : 0;
    const nextHost = last && last.host > 0 ? last.host + last.last - last.first + 1 : 0;
    if (last && PrivatePort === next && PublicPort === nextHost) last.last = PrivatePort;
    else runs.push({ ip: IP, proto: Type, first: PrivatePort, last: PrivatePort, host: PublicPort });
  }
  return runs.map(showRun).join(", ");
}

function showRun({ ip, proto, first, last, host }: PortRun): string {
  const range = (from: number, to: number) => (from === to ? String(from) : `${from}-${to}`);
  const inside = `${range(first, last)}/${proto}`;
  if (host === 0) return inside;
  const address = ip.includes(":") ? `[${ip}]` : ip;
  return `${address}:${range(host, host + last - first)}->${inside}`;
}

function compare(a: Port, b: Port): number {
  return (
    (a.PrivatePort ?? 0) - (b.PrivatePort ?? 0) ||
    (a.IP ?? "").localeCompare(b.IP ?? "") ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    (a.Type ?? "").localeCompare(b.Type ?? "")
  );
}
