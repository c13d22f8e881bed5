import type { ContainerSummary, NetworkInspect } from "@docker/node-sdk";
import { showPorts } from "./format/ports.ts";

/**
 * A drawing of who is in a network: the network with its subnets, below it the containers with their
 * addresses, published ports and other networks.
 */
export function drawNetwork(network: NetworkInspect, containers: readonly ContainerSummary[]): string {
  const members = Object.entries(network.Containers ?? {}).sort(([, a], [, b]) =>
    (a.Name ?? "").localeCompare(b.Name ?? "", "en", { numeric: true }),
  );
  const rows = members.map(([id, { Name = "", IPv4Address = "", IPv6Address = "", MacAddress = "" }]) => {
    const summary = containers.find((container) => container.Id === id);
    const others = Object.keys(summary?.NetworkSettings?.Networks ?? {}).filter(
      (name) => name !== network.Name,
    );
    return [
      Name,
      [IPv4Address, IPv6Address]
        .map((address) => address.replace(/\/\d+$/, ""))
        .filter(Boolean)
        .join(" "),
      MacAddress,
      [showPorts(summary?.Ports ?? []), others.length > 0 ? `also in ${others.join(", ")}` : ""]
        .filter(Boolean)
        .join("; "),
    ];
  });
  return `${[heading(network), ...align(rows).map((row, at) => branch(row, at === rows.length - 1))].join("\n")}\n`;
}

function heading({ Name, Driver, Internal, IPAM }: NetworkInspect): string {
  const subnets = (IPAM?.Config ?? []).map(({ Subnet, Gateway }) =>
    Gateway ? `${Subnet} by ${Gateway}` : Subnet,
  );
  return [`${Name} (${Driver}${Internal ? ", internal" : ""})`, ...subnets].join("  ");
}

const branch = (text: string, last: boolean): string => `${last ? "└─" : "├─"} ${text}`;

function align(rows: string[][]): string[] {
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
