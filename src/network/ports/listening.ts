import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { formatAddress } from "../subnet.ts";
import type { Protocol } from "../types.ts";

/** An address and port that a program of the host serves. */
export interface Listener {
  ip: string;
  port: number;
}

const LISTEN = "0A";
const PIECE = 64 << 10;

/** Who listens on the host for a protocol, by /proc/net (proc_pid_net(5)). Unbound and connected sockets are left out. */
export function listeners(protocol: Protocol): Listener[] {
  if (protocol === "sctp") return parseSctp(readAll("/proc/net/sctp/eps"));
  if (protocol === "udp")
    return ["udp", "udp6"].flatMap((name) => parseSockets(readAll(`/proc/net/${name}`), "07"));
  return ["tcp", "tcp6"].flatMap((name) => parseSockets(readListening(`/proc/net/${name}`), LISTEN));
}

/** The kernel lists those that listen before all others: what comes after the first other one is not read. */
function readListening(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
  try {
    const piece = Buffer.alloc(PIECE);
    let text = "";
    for (;;) {
      const got = readSync(file, piece);
      text += piece.toString("latin1", 0, got);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      if (got === 0 || /: \S+ \S+ (?!0A)[0-9A-F]{2} /.test(whole.slice(-600))) return whole;
    }
  } finally {
    closeSync(file);
  }
}

/** Lines of "sl local_address rem_address st …"; addresses are hexadecimal 32-bit words of the machine's byte order. */
export function parseSockets(text: string, state: string): Listener[] {
  const found: Listener[] = [];
  for (const match of text.matchAll(/^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /gm)) {
    const [, address = "", port = "", found_state] = match;
    if (found_state === state) found.push({ ip: parseHexAddress(address), port: Number.parseInt(port, 16) });
  }
  return found;
}

function parseHexAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  if (endianness() === "LE") bytes.swap32();
  const value = BigInt(`0x${bytes.toString("hex")}`);
  return formatAddress({ version: bytes.length === 4 ? 4 : 6, value });
}

/** Lines of "ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS". */
function parseSctp(text: string): Listener[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      return fields.slice(8).map((ip) => ({ ip, port: Number(fields[5]) }));
    });
}

function readAll(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
