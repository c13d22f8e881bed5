import { readFileSync } from "node:fs";
import type { ContainerStatsResponse } from "@docker/node-sdk";
import { linkNameInside } from "../../network/links.ts";
import type { Endpoint } from "../../network/types.ts";

type Interfaces = NonNullable<ContainerStatsResponse["networks"]>;

/**
 * The counters of the network interfaces a process sees, but for the loopback (proc_pid_net(5),
 * /proc/PID/net/dev); null when there are none or the process is gone.
 */
export function readInterfaces(pid: number | "self"): Interfaces | null {
  try {
    return parseInterfaces(readFileSync(`/proc/${pid}/net/dev`, "latin1"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH" || code === "EINVAL") return null;
    throw error;
  }
}

/** The counters of a virtual machine's links, seen from its side: what its tap sends it receives. */
export function readTaps(endpoints: readonly Endpoint[]): Interfaces | null {
  const all = readInterfaces("self") ?? {};
  const interfaces: Interfaces = {};
  for (const endpoint of endpoints) {
    const tap = all[endpoint.link];
    if (!tap) continue;
    interfaces[linkNameInside(endpoint)] = {
      rx_bytes: tap.tx_bytes,
      rx_packets: tap.tx_packets,
      rx_errors: tap.tx_errors,
      rx_dropped: tap.tx_dropped,
      tx_bytes: tap.rx_bytes,
      tx_packets: tap.rx_packets,
      tx_errors: tap.rx_errors,
      tx_dropped: tap.rx_dropped,
    };
  }
  return Object.keys(interfaces).length > 0 ? interfaces : null;
}

/** After two lines of headings, "eth0: " and eight numbers each for receiving and sending. */
export function parseInterfaces(text: string): Interfaces | null {
  const interfaces: Interfaces = {};
  for (const line of text.split("\n").slice(2)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim();
    if (colon < 0 || name === "lo") continue;
    const counters = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = counters;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = counters.slice(8);
    interfaces[name] = {
      rx_bytes: rxBytes,
      rx_packets: rxPackets,
      rx_errors: rxErrors,
      rx_dropped: rxDropped,
      tx_bytes: txBytes,
      tx_packets: txPackets,
      tx_errors: txErrors,
      tx_dropped: txDropped,
    };
  }
  return Object.keys(interfaces).length > 0 ? interfaces : null;
}
